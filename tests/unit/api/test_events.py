"""Events: what happens to jobs and submissions, as it happens, and nothing twice or never after a break."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.contracts.submission_bench import Bench
from tests.unit.api.conftest import served
from tests.unit.api.problems import problem
from trtfarm.database.session import Database
from trtfarm.farm import Farm
from trtfarm.jobs.history import record
from trtfarm.jobs.queries import list_jobs
from trtfarm_api.service import Service

#: What makes a request that is one build.
PLAIN: dict[str, Any] = {"precision": "fp32", "rule": None, "dataset_id": None, "test_dataset_id": None}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One server-sent event."""

    kind: str
    id: str | None
    data: Any


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path / "bench")


@pytest.fixture
def farm(bench: Bench) -> Farm:
    return bench.farm


@pytest.fixture
def client(farm: Farm) -> Any:
    with TestClient(served(Service(farm=farm)), "http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


def streamed(client: TestClient, path: str, last: str | None = None) -> list[Sent]:
    """All of a stream, which ends by itself."""
    headers = {"Accept": "text/event-stream", **({} if last is None else {"Last-Event-ID": last})}
    answered = client.get(path, headers=headers)
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Type"].startswith("text/event-stream")
    events = []
    for block in answered.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append(Sent(kind=fields["event"], id=fields.get("id"), data=json.loads(fields["data"])))
    return events


def meanwhile(work: Callable[[], object], then: Callable[[], list[Sent]]) -> list[Sent]:
    """What `then` gives while `work` is done beside it."""
    thread = Thread(target=work)
    thread.start()
    found = then()
    thread.join()
    return found


def test_a_job_is_followed_to_its_end(client: TestClient, bench: Bench, farm: Farm) -> None:
    bench.submit(bench.request(None, "sm_86", **PLAIN))
    (job,) = list_jobs(farm.database)
    record(farm.database, job.id, 0, [("log", {"level": "info", "text": "two\nlines"})])
    events = meanwhile(lambda: bench.do(job), lambda: streamed(client, f"/v1/jobs/{job.id}/events"))
    assert [event.kind for event in events] == ["job"] * (len(events) - 1) + ["end"]
    assert events[1].data["data"]["text"] == "two\nlines"
    assert [event.data["data"].get("to") for event in events[:-1] if event.data["kind"] == "state"] == [
        "queued",
        "running",
        "done",
    ]
    assert events[-1].data["state"] == "done"
    again = streamed(client, f"/v1/jobs/{job.id}/events", last=events[0].id)
    assert again == events[1:]
    assert streamed(client, f"/v1/jobs/{job.id}/events", last=events[-1].id) == events[-1:]


def test_a_jobs_history_in_one_piece(client: TestClient, bench: Bench, farm: Farm) -> None:
    bench.submit(bench.request(None, "sm_86", **PLAIN))
    (job,) = list_jobs(farm.database)
    record(farm.database, job.id, 0, [("log", {"text": str(number)}) for number in range(3)])
    items = client.get(f"/v1/jobs/{job.id}/events").json()["items"]
    assert [item["kind"] for item in items] == ["state", "log", "log", "log"]
    after = client.get(f"/v1/jobs/{job.id}/events", params={"after": items[1]["id"]}).json()["items"]
    assert after == items[2:]


def test_a_submission_is_followed_with_all_its_jobs(client: TestClient, bench: Bench, farm: Farm) -> None:
    submission = bench.submit(bench.request())
    path = f"/v1/submissions/{submission.id}/events"
    events = meanwhile(bench.do_all, lambda: streamed(client, path))
    assert events[0].kind in {"job", "submission"}
    assert (events[-1].kind, events[-1].data["state"]) == ("end", "done")
    of_jobs = [event for event in events if event.kind == "job"]
    assert {event.data["job_id"] for event in of_jobs} == {job.id for job in list_jobs(farm.database)}
    everything = sorted(event.data["id"] for event in of_jobs)
    assert len(set(everything)) == len(everything)
    for place, event in enumerate(events):
        rest = streamed(client, path, last=event.id)
        seen = {other.data["id"] for other in events[: place + 1] if other.kind == "job"}
        assert sorted({other.data["id"] for other in rest if other.kind == "job"} | seen) == everything
        assert not seen & {other.data["id"] for other in rest if other.kind == "job"}


def test_what_became_of_a_submission(client: TestClient, bench: Bench) -> None:
    submission = bench.submit(bench.request())
    bench.do_all()
    found = client.get(f"/v1/submissions/{submission.id}/facts").json()
    assert (found["state"], len(found["engines"])) == ("done", 2)


@pytest.mark.parametrize("last", ["x", "1:2", "job_1", "job_1:x", "job_1:1,", "-1", "9" * 30])
def test_an_id_that_no_event_has_is_refused(client: TestClient, bench: Bench, farm: Farm, last: str) -> None:
    submission = bench.submit(bench.request(None, "sm_86", **PLAIN))
    (job,) = list_jobs(farm.database)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
    for path in (f"/v1/jobs/{job.id}/events", f"/v1/submissions/{submission.id}/events"):
        problem(client.get(path, headers=headers), 400, "usage")


def test_nobody_follows_what_is_not_there(client: TestClient) -> None:
    for path in ("/v1/jobs/job_x/events", "/v1/submissions/sub_x/events", "/v1/jobs/job_x/explanation"):
        problem(client.get(path), 404, "not_found")


def test_a_job_says_why_it_ran(client: TestClient, bench: Bench, farm: Farm) -> None:
    bench.submit(bench.request(None, "sm_86", **PLAIN))
    (job,) = list_jobs(farm.database)
    found = client.get(f"/v1/jobs/{job.id}/explanation").json()
    assert (found["key"], found["fields"]["precision"], found["nearest"]) == (job.key, "fp32", None)


def test_who_asks(client: TestClient) -> None:
    assert client.get("/v1/whoami").json() == {
        "id": "local",
        "name": None,
        "project": "default",
        "scopes": ["read", "submit", "worker", "admin"],
        "expires": None,
    }
