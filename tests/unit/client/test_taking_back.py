"""Submissions and projects asked about here and over HTTP: the same words for commands to print."""

from __future__ import annotations

import anyio
import pytest

from tests.contracts.submission_bench import Bench
from tests.unit.client.conftest import link_to
from trtfarm.errors import ForbiddenError, NotFoundError, UsageError
from trtfarm.farm import Farm
from trtfarm.jobs.sharing import Share
from trtfarm_cli.farms.any_farm import AnyFarm
from trtfarm_cli.farms.here.farm import FarmHere
from trtfarm_cli.farms.remote.farm import RemoteFarm
from trtfarm_client import AsyncClient, Client
from trtfarm_client.records import CancelledSubmission


@pytest.fixture(params=["here", "over HTTP"])
def asked(request: pytest.FixtureRequest, farm: Farm, client: Client) -> AnyFarm:
    return FarmHere(farm.settings, lambda: farm) if request.param == "here" else RemoteFarm(client, farm.settings)


def test_a_submission_is_taken_back(asked: AnyFarm, farm: Farm) -> None:
    bench = Bench(farm.database, farm.settings.home)
    request = bench.request()
    mine, other = bench.submit(request), bench.submit(request)
    (job,) = bench.queued()
    gone = asked.submissions.cancel(mine.id)
    assert {**gone, "left": list(gone["left"])} == {
        "submission": mine.id,
        "state": "cancelled",
        "withdrawn": (),
        "stopping": (),
        "left": [job.id],
    }
    assert list(asked.submissions.cancel(other.id)["withdrawn"]) == [job.id]
    assert [found["id"] for found in asked.submissions.find({"state": "cancelled"}, limit=9)] == [other.id, mine.id]
    assert asked.submissions.find({"state": "done"}, limit=9) == []
    with pytest.raises(NotFoundError):
        asked.submissions.cancel("sub_none")


def test_a_project_gets_a_share(asked: AnyFarm) -> None:
    share = {"name": "vision", "weight": 3, "max_running": 7, "queued": 0, "running": 0}
    assert asked.administration.set_share("vision", Share(weight=3, max_running=7)) == share
    assert share in asked.projects()
    assert asked.administration.set_share("a/b c", Share())["name"] == "a/b c"
    with pytest.raises(UsageError, match="a weight cannot be 0"):
        asked.administration.set_share("vision", Share(weight=0))
    with pytest.raises(UsageError, match="cannot be limited to 0 jobs"):
        asked.administration.set_share("vision", Share(max_running=0))


def test_only_admins_say_how_workers_are_shared(submitter: Client) -> None:
    with pytest.raises(ForbiddenError):
        submitter.administration.set_project("vision", weight=100)
    assert [project.name for project in submitter.projects()] == ["vision"]


def test_so_it_is_for_who_awaits_the_answers(farm: Farm, port: int, token: str) -> None:
    bench = Bench(farm.database, farm.settings.home)
    submission = bench.submit(bench.request())

    async def awaited() -> tuple[CancelledSubmission, int]:
        async with AsyncClient(link_to(port, token)) as client:
            share = await client.administration.set_project("vision", weight=2)
            assert share in await client.projects()
            return await client.cancel_submission(submission.id), share.weight

    gone, weight = anyio.run(awaited)
    assert (gone.submission.state, len(gone.withdrawn), weight) == ("cancelled", 1, 2)
