"""Clients with real builders on PostgreSQL, where writers do not wait for each other."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, LeNetFarm, stocked
from trtfarm.database.schema import BlobRow, HolderRow, JobRow, TableRow
from trtfarm.farm import Farm
from trtfarm.jobs.queries import list_jobs
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Submission
from trtfarm_worker.inline import see_through
from trtfarm_worker.presence import forget_dead
from trtfarm_worker.toolchains.toolchain import Toolchain


def test_two_clients_that_want_the_same_do_it_once(database_url: str, tmp_path: Path) -> None:
    """One asks for its targets in the other's order backwards."""
    home = tmp_path / "home"
    settings = Settings.from_environment({"TRTFARM_HOME": str(home), "TRTFARM_DATABASE_URL": database_url})
    toolchain = posing_as_rtx(tmp_path, ENGINE)
    with Farm.open(settings) as one, Farm.open(settings) as other:
        stock = stocked(one)
        clients = [(stock, ("sm_80", "sm_86", "sm_89")), (replace(stock, farm=other), ("sm_89", "sm_86", "sm_80"))]
        with ThreadPoolExecutor(2) as pool:
            ended = list(pool.map(lambda client: _submitted(client[0], client[1], toolchain), clients))
        assert [submission.state for submission in ended] == ["done", "done"]
        assert set(ended[0].result_ids("engine_id")) == set(ended[1].result_ids("engine_id"))
        jobs = list_jobs(one.database)
        assert Counter(job.kind for job in jobs) == {"calibrate": 1, "quantize": 1, "verify": 1, "build": 3}
        assert {(job.state, job.attempt) for job in jobs} == {("done", 1)}
        with one.database.read() as session:
            assert session.scalars(select(HolderRow)).all() == []
            assert len(session.scalars(select(BlobRow)).all()) == len(list(one.blobs.blobs()))
            scales = session.scalars(select(TableRow.scales)).one()
        assert next(iter(scales)) == "data"  # in network order, which PostgreSQL's jsonb would have lost
        assert stock.submit(stock.request("sm_86")).hit


def test_a_job_of_a_dead_client_that_somebody_is_changing_is_freed_by_the_next_look(
    database_url: str, tmp_path: Path
) -> None:
    """Nobody waits for the row; were the dead forgotten all the same, its job would wait for the lease to run out."""
    settings = Settings.from_environment({"TRTFARM_HOME": str(tmp_path), "TRTFARM_DATABASE_URL": database_url})
    with Farm.open(settings) as farm:
        with farm.database.write() as session:
            job, _ = farm.jobs.submit(session, kind="build", key="key", request={})
        assert farm.jobs.claim(job.id, "cli_dead") is not None
        lock = tmp_path / "alive" / "cli_dead"
        lock.parent.mkdir()
        lock.touch()
        with farm.database.write() as session:
            session.execute(select(JobRow).where(JobRow.id == job.id).with_for_update())
            forget_dead(farm)
            assert lock.exists()
            assert farm.jobs.get(job.id).state == "running"
        forget_dead(farm)
        assert not lock.exists()
        assert farm.jobs.get(job.id).state == "queued"


def _submitted(lenet: LeNetFarm, capabilities: tuple[str, ...], toolchain: Toolchain) -> Submission:
    submission_id, _ = lenet.farm.submit(lenet.request(*capabilities))
    return see_through(
        lenet.farm, submission_id, [toolchain], watcher=lambda _: None, listener=lambda _job, _event: None
    )
