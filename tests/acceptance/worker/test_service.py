"""Celery workers and `trtfarm up`, as processes, with the broker in a folder."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import ENGINE, HANG, LeNetFarm
from tests.acceptance.worker.programs import Program, program
from tests.integration.servers.process import free_port
from trtfarm.database.schema import EngineRow
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.watching import until_ended
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Submission
from trtfarm.waiting import why_waiting
from trtfarm.workers import WorkerState, list_workers, set_state
from trtfarm_worker.alive import WORKER
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.inline import announce, see_through
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain

CLI = ["-m", "trtfarm_cli"]


def watched(lenet: LeNetFarm, submission_id: str, told: list[tuple[str, Progress | LogLine]]) -> Submission:
    """The submission at its end, seen by a client that has no toolchain to build with."""

    def hear(job: Job, event: Progress | LogLine) -> None:
        told.append((job.kind, event))

    return see_through(lenet.farm, submission_id, [], watcher=lambda _: None, listener=hear)


def submitted(lenet: LeNetFarm, request: SubmissionRequest) -> str:
    submission_id, queued = lenet.farm.submit(request)
    announce(lenet.farm, queued, wanted=True)
    return submission_id


def test_a_worker_does_what_clients_watch_and_gives_back_what_it_cannot_end(
    lenet: LeNetFarm, rtx_home: Path, tmp_path: Path
) -> None:
    """The messages of the first submission are lost: the worker finds its jobs by itself. The second one's arrive."""
    messages = rtx_home / "broker" / "messages"
    lost = submitted(lenet, lenet.plain("sm_80", "sm_86", "sm_89"))
    assert len(list(messages.iterdir())) == 3
    for message in messages.iterdir():
        message.unlink()
    assert all(job.hinted_at for job in lenet.queued())
    with program([*CLI, "worker"], rtx_home) as worker:
        worker.line(lambda line: "worker is up" in line)
        assert watched(lenet, lost, []).state == "done"
        told = list[tuple[str, Progress | LogLine]]()
        assert watched(lenet, submitted(lenet, lenet.request("sm_89")), told).state == "done"
        done = list_jobs(lenet.farm.database)
        stopped = _stopped_in_mid_job(lenet, worker, posing_as_rtx(tmp_path, HANG))
    assert {(job.state, job.attempt) for job in done} == {("done", 1)}
    assert {str(job.owner).startswith(WORKER) for job in done} == {True}
    assert lenet.count(EngineRow) == 4
    assert (stopped.state, stopped.attempt, stopped.error) == ("queued", 1, None)
    assert stopped.max_attempts == lenet.farm.settings.max_attempts + 1
    assert list(messages.iterdir()) == []
    # What happened elsewhere was passed on to the very end.
    assert ("verify", Progress(stage="evaluate", done=100, total=100, unit="samples")) in told
    assert {kind for kind, _ in told} == {"calibrate", "quantize", "verify", "build"}
    assert list_workers(lenet.farm.database) == []
    assert list((rtx_home / "alive").iterdir()) == []


def test_up_restarts_a_killed_worker_and_its_job_is_committed_once(
    lenet: LeNetFarm, home: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    first = f"if not os.path.exists({str(begun)!r}):\n    open({str(begun)!r}, 'w')\n    {HANG}\n"
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, first + ENGINE))
    submission_id = submitted(lenet, lenet.plain())
    killed = list[int]()

    def kill_the_worker(events: list[Event]) -> None:
        if not killed and any(event.kind == "progress" for event in events):
            killed.append(_worker_pid(lenet))
            os.kill(killed[0], signal.SIGKILL)

    with program([*CLI, "up"], home) as up:
        job = until_ended(lenet.farm.database, lenet.farm.jobs, lenet.only_job().id, kill_the_worker)
        assert (job.state, job.attempt) == ("done", 2)
        assert watched(lenet, submission_id, []).state == "done"
        kept = {_worker_pid(lenet), *_pids(up)}
        up.process.terminate()
        assert up.ended() == 0
    assert "worker ended, again in 0.5 s" in up.lines
    assert len(killed) == 1
    assert not any(map(psutil.pid_exists, kept))
    assert lenet.count(EngineRow) == 1
    moves = [event.data["to"] for event in events_since(lenet.farm.database, job.id) if event.kind == "state"]
    assert moves == ["queued", "running", "queued", "running", "done"]
    assert (list_workers(lenet.farm.database), list((home / "alive").iterdir())) == ([], [])


def test_a_worker_pauses_goes_on_and_leaves(lenet: LeNetFarm, home: Path, tmp_path: Path) -> None:
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, ENGINE))
    database = lenet.farm.database
    with program([*CLI, "up"], home) as up:
        up.line(lambda line: "worker is up" in line)
        (worker,) = list_workers(database)
        assert worker.capabilities == ("cpu", "tensorrt-rtx-1.7.1.116")
        set_state(database, worker.id, WorkerState.PAUSED)
        submission_id = submitted(lenet, lenet.plain())
        job = lenet.only_job()
        assert why_waiting(job.need, list_workers(database)) == (
            f"needs tensorrt-rtx-1.7.1.116; {worker.id} offers it but is paused"
        )
        assert set_state(database, worker.id, WorkerState.READY).ready
        assert until_ended(database, lenet.farm.jobs, job.id, lambda _: None).owner == worker.id
        assert watched(lenet, submission_id, []).state == "done"
        assert lenet.only_job().attempt == 1
        set_state(database, worker.id, WorkerState.DRAINING)
        up.starts("worker has left")
        assert list_workers(database) == []
        up.process.terminate()
        assert up.ended() == 0
    assert not any(line.startswith("worker ended") for line in up.lines)


def test_a_worker_that_starts_while_the_broker_is_down_does_the_jobs_there_are(
    lenet: LeNetFarm, home: Path, tmp_path: Path
) -> None:
    ToolchainRegistry(home).put(posing_as_rtx(tmp_path, ENGINE))
    submission_id, _ = lenet.farm.submit(lenet.plain())
    nobody_listens = f"redis://127.0.0.1:{free_port()}/0"
    with program([*CLI, "worker"], home, TRTFARM_BROKER_URL=nobody_listens) as worker:
        assert watched(lenet, submission_id, []).state == "done"
        worker.process.terminate()
        assert worker.ended() == 0
    assert str(lenet.only_job().owner).startswith(WORKER)


def _stopped_in_mid_job(lenet: LeNetFarm, worker: Program, hangs: Toolchain) -> Job:
    """Has the worker begin a job that never ends, tells it to stop, and gives the job as it is then."""
    ToolchainRegistry(lenet.farm.settings.home).put(hangs)  # its name comes before that of the real one
    _, (job_id,) = lenet.farm.submit(lenet.plain("sm_120"))
    announce(lenet.farm, [job_id])

    def stop(events: list[Event]) -> None:
        if any(event.kind == "progress" for event in events):
            worker.process.terminate()
            raise _StoppedError

    with pytest.raises(_StoppedError):
        until_ended(lenet.farm.database, lenet.farm.jobs, job_id, stop)
    assert worker.ended() == 0
    return lenet.farm.jobs.get(job_id)


class _StoppedError(Exception):
    """Enough was seen."""


def _worker_pid(lenet: LeNetFarm) -> int:
    [worker] = list_workers(lenet.farm.database)
    return worker.pid


def _pids(up: Program) -> set[int]:
    return {child.pid for child in psutil.Process(up.process.pid).children(recursive=True)}
