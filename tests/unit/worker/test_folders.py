"""Folders of jobs that were claimed together: what one builder leaves, the next one does not find."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.submission_bench import Bench, OnBench
from tests.contracts.submissions import PLAIN
from trtfarm.jobs.job import Job
from trtfarm_worker.folders import Folders


def _job(bench: Bench) -> Job:
    submission = bench.submit(bench.request(None, "sm_86", **PLAIN))
    job = bench.job_of(submission, "build sm_86 tensorrt-rtx-1.7.1.116")
    bench.do(job)
    return job


class TestScratch(OnBench):
    def test_the_next_job_finds_nothing_of_the_one_before(self, bench: Bench, tmp_path: Path) -> None:
        job, outside = _job(bench), tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_text("of somebody else")
        with Folders(bench.farm) as folders:
            first = folders.scratch(job)
            (first / "deep" / "er").mkdir(parents=True)
            (first / "deep" / "er" / "file").write_text("left")
            (first / "file").write_text("left")
            (first / "file").chmod(0)
            (first / "away").symlink_to(outside)
            second = folders.scratch(replace(job, id="job_next"))
            assert second != first
            assert not first.exists()
            assert list(second.iterdir()) == []
        assert (outside / "file").read_text() == "of somebody else"

    def test_a_folder_that_cannot_be_emptied_is_not_used_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = _job(bench)

        def refuse(*_: object) -> None:
            raise PermissionError

        with Folders(bench.farm) as folders:
            first = folders.scratch(job)
            (first / "deep").mkdir()
            with monkeypatch.context() as patched:
                patched.setattr(shutil, "rmtree", refuse)
                second = folders.scratch(replace(job, id="job_next"))
            assert list(second.iterdir()) == []
            assert first.exists()
