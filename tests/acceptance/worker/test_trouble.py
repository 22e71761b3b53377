"""Disks that are full and databases that are busy: no work is lost that need not be, and nothing is half stored."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import pytest
import structlog

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, LeNetFarm, nobody, run_all
from trtfarm.blobs.made import MadeFile, settled
from trtfarm.blobs.store import BlobStore
from trtfarm.database import session
from trtfarm.database.schema import BlobRow, EngineRow, VerificationRow
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.settings import Settings
from trtfarm_worker import committing
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.runner import Runner

NOT_COMMITTED = "result not committed, tried again"


@dataclass(frozen=True)
class Disk:
    """A file system of its own; `grow` makes room on it."""

    folder: Path

    @classmethod
    def mounted(cls, folder: Path, options: str) -> Disk:
        folder.mkdir(exist_ok=True)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)  # noqa: S607
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"mounting a small disk takes a privilege: {error}")
        return cls(folder)

    def grow(self) -> None:
        grown = "remount,size=64m,nr_inodes=1000"
        subprocess.run(["mount", "-o", grown, self.folder], check=True)  # noqa: S607

    def unmount(self) -> None:
        subprocess.run(["umount", self.folder], check=True)  # noqa: S607


@pytest.fixture
def blob_disk(home: Path, tmp_path: Path) -> Iterator[Disk]:
    """Holds the stock's blobs, which are less than 3 MiB, and little more."""
    disk = Disk.mounted(tmp_path / "disk", "size=4m")
    shutil.copytree(home / "blobs", disk.folder, dirs_exist_ok=True)
    yield disk
    disk.unmount()


@pytest.fixture(params=["size=64k", "size=64m,nr_inodes=3"], ids=["bytes", "files"])
def scratch_disk(home: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    """Smaller than the model, or without room for a third folder."""
    disk = Disk.mounted(home / "scratch", request.param)
    yield disk
    disk.unmount()


def test_a_full_blob_store_fails_the_job_and_keeps_nothing_of_it(
    lenet: LeNetFarm, blob_disk: Disk, tmp_path: Path
) -> None:
    settings = Settings.from_environment(
        {"TRTFARM_HOME": str(lenet.farm.settings.home), "TRTFARM_BLOB_URL": str(blob_disk.folder)}
    )
    with Farm.open(settings) as farm:
        small = replace(lenet, farm=farm)
        before = (small.blobs(), small.count(BlobRow))
        hands = Runner(farm, "worker", lambda: [posing_as_rtx(tmp_path, ENGINE)], publish=nobody)
        _fails_for_lack_of_space(small, hands)
        assert (small.blobs(), small.count(BlobRow)) == before
        assert list((blob_disk.folder / "tmp").iterdir()) == []
        blob_disk.grow()
        _works_now(small, hands)


def test_full_scratch_fails_the_job_and_is_left_empty(lenet: LeNetFarm, scratch_disk: Disk, tmp_path: Path) -> None:
    hands = Runner(lenet.farm, "worker", lambda: [posing_as_rtx(tmp_path, ENGINE)], publish=nobody)
    _fails_for_lack_of_space(lenet, hands)
    assert list(scratch_disk.folder.iterdir()) == []
    scratch_disk.grow()
    _works_now(lenet, hands)


def test_a_database_that_is_busy_for_a_moment_costs_no_finished_work(
    lenet: LeNetFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer holds the database from the builder's first event until the first attempt to commit failed."""
    monkeypatch.setattr(session, "BUSY_SECONDS", 0.05)
    rival = sqlite3.connect(lenet.farm.settings.home / "farm.db", isolation_level=None, check_same_thread=False)

    def hold(_job: Job, _event: Progress | LogLine) -> None:
        if not rival.in_transaction:
            rival.execute("BEGIN IMMEDIATE")

    def let_go(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        if rival.in_transaction and event["event"] == NOT_COMMITTED:
            rival.rollback()
        return event

    with Farm.open(lenet.farm.settings) as farm, structlog.testing.capture_logs(processors=[let_go]) as logs:
        impatient = replace(lenet, farm=farm)
        impatient.submit(impatient.request())
        for step in ("calibrate", "quantize"):
            assert Runner(farm, "worker", list, publish=nobody).run(impatient.only_job_of(step).id)
        assert Runner(farm, "worker", list, publish=nobody, listener=hold).run(impatient.only_job_of("verify").id)
        job = impatient.only_job_of("verify")
        assert (job.state, job.attempt) == ("done", 1)
        assert impatient.count(VerificationRow) == 1
    rival.close()
    assert NOT_COMMITTED in [entry["event"] for entry in logs]


def test_a_store_that_is_slow_for_longer_than_a_lease_costs_no_finished_work(
    lenet: LeNetFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever commits has its claim renewed meanwhile, so that nobody else is given the job."""
    expired: list[Job] = []

    def slowly(blobs: BlobStore, files: Iterable[MadeFile]) -> list[MadeFile]:
        Event().wait(2.5)
        expired.extend(farm.jobs.expire())
        return settled(blobs, files)

    monkeypatch.setattr(committing, "settled", slowly)
    with Farm.open(replace(lenet.farm.settings, lease_seconds=2.0)) as farm:
        stock = replace(lenet, farm=farm)
        stock.submit(stock.plain())
        assert Runner(farm, "worker", lambda: [posing_as_rtx(tmp_path, ENGINE)], publish=nobody).run_next()
        assert expired == []
        assert (stock.only_job().state, stock.only_job().attempt) == ("done", 1)


def _fails_for_lack_of_space(lenet: LeNetFarm, hands: Runner) -> None:
    submission = lenet.submit(lenet.plain())
    (*_, job) = run_all(lenet, hands.run)
    assert (job.state, job.attempt) == ("failed", job.max_attempts)
    assert job.error is not None
    assert job.error["code"] == "disk_full"
    assert job.error["remedy"]
    assert lenet.state(submission) == "failed"
    assert lenet.count(EngineRow) == 0


def _works_now(lenet: LeNetFarm, hands: Runner) -> None:
    submission = lenet.submit(lenet.plain())
    (job,) = run_all(lenet, hands.run)
    assert (job.state, job.attempt) == ("done", 1)
    assert lenet.state(submission) == "done"
    assert lenet.submit(lenet.plain()).hit
