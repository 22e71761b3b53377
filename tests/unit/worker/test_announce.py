from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.submission_bench import Bench
from trtfarm.database.session import Database
from trtfarm.errors import StorageError
from trtfarm_worker.inline import announce


def test_what_is_accepted_is_no_failure_when_nobody_can_be_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(database, tmp_path)
    submission, queued = bench.farm.submit(bench.request())

    def away(_job_id: str) -> None:
        raise StorageError("the database is away")

    monkeypatch.setattr(bench.farm.jobs, "get", away)
    announce(bench.farm, queued, wanted=True)
    assert "found all the same" in capfd.readouterr().err
    monkeypatch.undo()
    assert [job.id for job in bench.queued()] == queued
    assert bench.get(submission).state == "active"
