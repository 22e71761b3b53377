"""Processes that hold jobs: known while they live, found out when they die."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from threading import Semaphore

import pytest
from sqlalchemy import delete

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import LeNetFarm, nobody
from tests.acceptance.worker.programs import PATIENCE, Program, program
from trtfarm.database.clock import from_now
from trtfarm.database.schema import WorkerRow
from trtfarm.errors import ToolchainError
from trtfarm.workers import list_workers
from trtfarm_worker.alive import CLIENT, WORKER, lock_files
from trtfarm_worker.offers import Offer
from trtfarm_worker.presence import Presence, forget_dead, workers_up
from trtfarm_worker.runner import Runner

#: Claims the job that it is told of, and holds it until it is killed.
HOLDER = """
import sys
from tests.acceptance.worker.words import say
from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm_worker.presence import Presence

with Farm.open(Settings.from_environment()) as farm, Presence(farm, sys.argv[1]) as presence:
    claim = farm.jobs.claim(sys.argv[2], presence.owner)
    with farm.scratch("work") as folder:
        (folder / "engine.plan").write_bytes(b"half")
        say(f"holds {claim.attempt}")
        sys.stdin.read()
"""


def holds(holder: Program) -> None:
    holder.starts("holds")


def test_a_worker_counts_from_its_beginning_to_its_end(lenet: LeNetFarm) -> None:
    assert workers_up(lenet.farm) == 0
    with Presence(lenet.farm, WORKER, slots=3) as presence:
        assert workers_up(lenet.farm) == 1
        with lenet.farm.database.read() as session:
            row = session.get_one(WorkerRow, presence.owner)
        assert (row.host, row.slots) == (socket.gethostname(), 3)
    assert workers_up(lenet.farm) == 0
    assert list_workers(lenet.farm.database) == []


def test_a_worker_that_was_forgotten_makes_itself_known_again(lenet: LeNetFarm) -> None:
    """Also while it cannot tell what it offers: a toolchain's file is unreadable from the second beat on."""
    lenet.farm.settings = replace(lenet.farm.settings, lease_seconds=0.3)
    beats = Semaphore(0)

    def offer() -> Offer:
        beats.release()
        if gone:
            raise ToolchainError("a toolchain's file cannot be read")
        return Offer()

    gone: list[str] = []
    with Presence(lenet.farm, WORKER, offer=offer) as presence:
        with lenet.farm.database.write() as session:
            gone += session.scalars(delete(WorkerRow).returning(WorkerRow.id)).all()
        assert gone == [presence.owner]
        for _ in range(4):  # at its entrance, perhaps before it was gone, then once, and once more when that has ended
            assert beats.acquire(timeout=PATIENCE)
        assert [(worker.id, worker.capabilities) for worker in list_workers(lenet.farm.database)] == [
            (presence.owner, ())
        ]


def test_a_worker_takes_the_killed_one_before_it_for_ended(lenet: LeNetFarm, home: Path) -> None:
    """No reconciler of this host would: its job is free at once, and its row does not stay silent for a day."""
    lenet.submit(lenet.plain())
    with lenet.farm.database.write() as session:
        facts = {"host": socket.gethostname(), "pid": 1, "toolchains": [], "slots": 1, "state": "ready"}
        session.add(WorkerRow(id="wrk_killed", lease_until=from_now(30.0), **facts))
    assert lenet.farm.jobs.claim(lenet.only_job().id, "wrk_killed") is not None
    lock_files(home).joinpath("wrk_killed").touch()
    with Presence(lenet.farm, WORKER) as presence:
        assert lenet.only_job().state == "queued"
        assert [worker.id for worker in list_workers(lenet.farm.database, left=True)] == [presence.owner]


def test_a_client_is_no_worker(lenet: LeNetFarm) -> None:
    with Presence(lenet.farm, CLIENT):
        assert workers_up(lenet.farm) == 0


def test_a_worker_of_another_host_counts_by_its_lease(lenet: LeNetFarm) -> None:
    with lenet.farm.database.write() as session:
        for name, seconds in (("wrk_alive", 30.0), ("wrk_silent", -1.0)):
            lease = from_now(seconds)
            row = WorkerRow(id=name, host="far", pid=1, toolchains=[], slots=1, lease_until=lease, state="ready")
            session.add(row)
    assert workers_up(lenet.farm) == 1


def test_a_living_process_is_left_its_jobs(lenet: LeNetFarm) -> None:
    lenet.submit(lenet.plain())
    with Presence(lenet.farm, WORKER) as presence:
        assert lenet.farm.jobs.claim(lenet.only_job().id, presence.owner) is not None
        forget_dead(lenet.farm)
        assert (lenet.only_job().state, lenet.only_job().owner) == ("running", presence.owner)


@pytest.mark.parametrize(("role", "counts"), [(WORKER, True), (CLIENT, False)])
def test_the_jobs_of_a_killed_process_are_free_at_once(
    lenet: LeNetFarm, home: Path, role: str, *, counts: bool
) -> None:
    """Long before the lease of half a minute runs out."""
    lenet.submit(lenet.plain())
    job = lenet.only_job()
    with program(["-c", HOLDER, role, job.id], home) as holder:
        holds(holder)
        assert lenet.only_job().state == "running"
        assert workers_up(lenet.farm) == (role == WORKER)
        lenet.farm.sweep()
        assert len(list((home / "scratch").iterdir())) == 1
        holder.process.kill()
        holder.process.wait()
    assert workers_up(lenet.farm) == 0
    freed = lenet.only_job()
    assert (freed.state, freed.owner) == ("queued", None)
    assert freed.max_attempts - freed.attempt == job.max_attempts - counts
    assert (freed.error is not None) is counts
    assert list_workers(lenet.farm.database) == []
    assert list((home / "alive").iterdir()) == []
    lenet.farm.sweep()
    assert list((home / "scratch").iterdir()) == []
    assert lenet.farm.jobs.claim(job.id, "another") is not None


def test_a_builder_inherits_nothing_that_would_keep_its_dead_client_alive(lenet: LeNetFarm, tmp_path: Path) -> None:
    """A lock goes with the last copy of its descriptor; a client has one on its name and one on its scratch folder."""
    lenet.submit(lenet.plain())
    told = "os.write(2, json.dumps([os.readlink('/proc/self/fd/%s' % n) for n in (0, 1, 2, channel)]).encode())"
    counted = "os.write(2, b' of %d' % (len(os.listdir('/proc/self/fd')) - 1)); sys.exit(3)"  # one is the listing's own
    with Presence(lenet.farm, CLIENT) as presence:
        toolchain = posing_as_rtx(tmp_path, f"{told}; {counted}")
        Runner(lenet.farm, presence.owner, lambda: [toolchain], publish=nobody).run(lenet.only_job().id)
    error = lenet.only_job().error
    assert error is not None
    names, _, count = error["cause"].partition(" of ")
    request, *pipes = json.loads(names)
    assert Path(request).name == "request.json"
    assert all(name.startswith("pipe:") for name in pipes)
    assert int(count) == len(pipes) + 1


def test_a_job_that_kills_every_worker_is_quarantined(lenet: LeNetFarm, home: Path) -> None:
    submission = lenet.submit(lenet.plain())
    for _ in range(lenet.farm.settings.max_attempts):
        with program(["-c", HOLDER, WORKER, lenet.only_job().id], home) as holder:
            holds(holder)
            holder.process.kill()
            holder.process.wait()
        forget_dead(lenet.farm)
    assert lenet.only_job().state == "quarantined"
    lenet.farm.advance()
    assert lenet.state(submission) == "failed"
