"""Clients that see their submissions through: beside each other, interrupted, and killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, HANG, LeNetFarm
from tests.acceptance.worker.programs import client
from trtfarm.database.schema import EngineRow
from trtfarm.errors import ModelError
from trtfarm.jobs.queries import list_jobs
from trtfarm_worker.inline import see_through
from trtfarm_worker.toolchains.registry import ToolchainRegistry


@pytest.fixture
def hangs_first(home: Path, tmp_path: Path) -> None:
    """A toolchain whose first builder never ends, and whose others answer."""
    begun = tmp_path / "begun"
    first = f"if not os.path.exists({str(begun)!r}):\n    open({str(begun)!r}, 'w')\n    {HANG}\n"
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, first + ENGINE))


def test_two_clients_that_want_the_same_do_it_once(lenet: LeNetFarm, rtx_home: Path) -> None:
    request = lenet.request("sm_86", "sm_89")
    with client(request, rtx_home) as one, client(request, rtx_home) as other:
        assert (one.ended(), other.ended()) == (0, 0)
    assert one.lines[-1] == other.lines[-1] == "done"
    jobs = list_jobs(lenet.farm.database)
    assert Counter(job.kind for job in jobs) == {"calibrate": 1, "quantize": 1, "verify": 1, "build": 2}
    assert {(job.state, job.attempt) for job in jobs} == {("done", 1)}
    assert lenet.count(EngineRow) == 2
    assert lenet.submit(request).hit


@pytest.mark.usefixtures("hangs_first")
def test_when_one_of_two_clients_is_killed_the_other_goes_on(lenet: LeNetFarm, home: Path) -> None:
    with client(lenet.plain(), home) as one:
        one.starts("build")
        with client(lenet.plain(), home) as other:
            other.starts("build")  # heard of the builder that runs in the first client
            first_owner = lenet.only_job().owner
            one.process.kill()
            assert other.ended() == 0
    job = lenet.only_job()
    assert other.lines[-1] == "done"
    assert (job.state, job.attempt) == ("done", 2)
    assert job.owner != first_owner
    # A client's death says nothing about the job.
    assert job.max_attempts == lenet.farm.settings.max_attempts + 1
    assert lenet.count(EngineRow) == 1
    assert list((home / "scratch").iterdir()) == []
    assert list((home / "alive").iterdir()) == []


@pytest.mark.usefixtures("hangs_first")
def test_a_client_that_is_held_up_loses_its_job_and_finds_it_done_when_it_wakes(lenet: LeNetFarm, home: Path) -> None:
    """It lives, holds its lock and its builder runs; that it does not beat is all that tells."""
    with client(lenet.plain(), home, TRTFARM_LEASE_SECONDS="1") as held_up:
        held_up.starts("build")
        _stop_between_transactions(held_up.process, home / "farm.db")
        with client(lenet.plain(), home, TRTFARM_LEASE_SECONDS="1") as other:
            assert other.ended() == 0
        held_up.process.send_signal(signal.SIGCONT)
        assert held_up.ended() == 0
    assert held_up.lines[-1] == other.lines[-1] == "done"
    assert (lenet.only_job().state, lenet.only_job().attempt) == ("done", 2)
    assert lenet.count(EngineRow) == 1
    assert list((home / "scratch").iterdir()) == []


def test_what_a_client_ended_but_did_not_move_on_is_moved_on_by_the_next_look(lenet: LeNetFarm) -> None:
    """As if it had been killed between the two transactions; nobody runs that job any more, so nobody would tell."""
    submission = lenet.submit(lenet.plain())
    claim = lenet.farm.jobs.claim(lenet.only_job().id, "cli_killed")
    assert claim is not None
    lenet.farm.jobs.fail(claim, ModelError("no such operator"))
    assert lenet.state(submission) == "active"
    ended = see_through(lenet.farm, submission.id, [], watcher=lambda _: None, listener=lambda _job, _event: None)
    assert ended.state == "failed"


@pytest.mark.usefixtures("hangs_first")
def test_an_interrupted_client_gives_its_jobs_back_and_the_next_one_goes_on(lenet: LeNetFarm, home: Path) -> None:
    with client(lenet.plain(), home) as interrupted:
        interrupted.starts("build")
        interrupted.process.send_signal(signal.SIGINT)
        interrupted.ended()
    job = lenet.only_job()
    assert (job.state, job.owner, job.error) == ("queued", None, None)
    assert list((home / "alive").iterdir()) == []
    with client(lenet.plain(), home) as next_one:
        assert next_one.ended() == 0
    assert next_one.lines[-1] == "done"
    assert lenet.only_job().attempt == 2


def test_a_killed_client_is_forgotten_by_the_next_one_alone(lenet: LeNetFarm, home: Path, tmp_path: Path) -> None:
    """Nobody else is there to notice; the lease of the dead would hold for half a minute."""
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, HANG))
    with client(lenet.plain(), home) as killed:
        killed.starts("build")
        killed.process.kill()
        killed.ended()
    assert lenet.only_job().state == "running"
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, ENGINE))
    with client(lenet.plain(), home) as next_one:
        assert next_one.ended() == 0
    assert (lenet.only_job().state, lenet.only_job().attempt) == ("done", 2)


def _stop_between_transactions(process: subprocess.Popen[str], database: Path) -> None:
    """A process that is stopped in the middle of a transaction keeps everybody from writing: that is not this test."""
    while True:
        process.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as rival:
            try:
                rival.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)  # the time that a transaction takes
            else:
                return
