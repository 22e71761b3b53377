from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contracts.submission_bench import Bench
from trtfarm.database.clock import from_now
from trtfarm.database.schema import WorkerRow
from trtfarm.database.session import Database
from trtfarm.errors import StorageError
from trtfarm.jobs.hints import Queued
from trtfarm.routing import CPU
from trtfarm_worker.announcing import Announcer
from trtfarm_worker.inline import announce


def test_of_many_jobs_in_a_moment_the_broker_is_told_twice(database: Database, tmp_path: Path) -> None:
    bench, told = Bench(database, tmp_path), list[str]()

    def publisher(job: Queued) -> bool:
        told.append(job.id)
        return True

    with database.write() as session:
        facts = {"host": "h", "pid": 1, "toolchains": [], "capabilities": [CPU], "state": "ready"}
        session.add(WorkerRow(id="wrk_1", slots=1, lease_until=from_now(60), **facts))
    announcer = Announcer(publisher)
    jobs = [job_id for _ in range(5) for job_id in bench.farm.submit(bench.request())[1]]
    for job_id in jobs:
        announcer(bench.farm, [job_id])
    deadline = time.monotonic() + 10
    while any(bench.farm.jobs.get(job_id).hinted_at is None for job_id in jobs):
        assert time.monotonic() < deadline
    assert len(told) == 2
    assert told[0] == jobs[0]


def test_what_is_accepted_is_no_failure_when_nobody_can_be_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(database, tmp_path)
    submission, queued = bench.farm.submit(bench.request())

    def away(_job_ids: Sequence[str]) -> None:
        raise StorageError("the database is away")

    monkeypatch.setattr(bench.farm.jobs.hints, "queued", away)
    announce(bench.farm, queued, wanted=True)
    assert "found all the same" in capfd.readouterr().err
    monkeypatch.undo()
    assert [job.id for job in bench.queued()] == queued
    assert bench.get(submission).state == "active"
