"""A database that is away when a result is to be committed."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.contracts.submission_bench import Bench
from trtfarm.database.session import Database
from trtfarm.errors import StorageError
from trtfarm.jobs.state import JobState
from trtfarm_worker import committing
from trtfarm_worker.stopping import Stopping


@pytest.mark.parametrize(("seconds", "ends"), [(3600.0, JobState.DONE), (0.0, JobState.RUNNING)])
def test_a_result_waits_for_it_as_long_as_it_took_to_make(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, ends: JobState
) -> None:
    bench = Bench(database, tmp_path)
    bench.farm.settings = replace(bench.farm.settings, lease_seconds=0.0)
    bench.submit(bench.request())
    claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
    assert claim is not None
    work = replace(bench.work(claim), begun=time.monotonic() - seconds)
    commit, refused = database.steady_write, iter([True] * 3)

    def write() -> AbstractContextManager[Session]:
        if next(refused, False):
            raise StorageError("the database is away")
        return commit()

    monkeypatch.setattr(committing, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(database, "steady_write", write)
    beats: list[bool] = []
    if ends is JobState.DONE:
        committing.commit_all(bench.farm, [work], Stopping(), lambda: beats.append(bench.farm.jobs.beat(claim)))
        assert beats == [False] * 3
    else:
        with pytest.raises(StorageError):
            committing.commit_all(bench.farm, [work], Stopping())
    assert bench.farm.jobs.get(claim.job.id).state is ends
