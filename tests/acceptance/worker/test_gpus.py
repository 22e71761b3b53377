"""Jobs on GPUs that a posing NVML shows: which builder sees which, and who has to wait."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.builder.conftest import Bench
from tests.acceptance.worker.conftest import posing_as_rtx
from tests.acceptance.worker.farms import LeNetFarm, nobody
from tests.posers import H200, PosedGpus, posed_gpus
from trtfarm.compute_capability import ComputeCapability
from trtfarm.jobs.job import Job
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget
from trtfarm.workers import WorkerState, worker_named
from trtfarm_worker.alive import WORKER
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.hands import Hands
from trtfarm_worker.inline import see_through
from trtfarm_worker.places import Places
from trtfarm_worker.presence import Presence
from trtfarm_worker.runner import Runner
from trtfarm_worker.standing import Standing
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

#: Tells which GPUs CUDA would show, and ends badly when it is told to.
TELL = """
import ctypes; ctypes.CDLL(None).prctl(1, signal.SIGKILL)
send(event='log', level='info', text=os.environ['CUDA_VISIBLE_DEVICES'])
"""


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PosedGpus:
    return posed_gpus(monkeypatch, tmp_path, H200, H200)


def on_h200(lenet: LeNetFarm, number: int = 1) -> SubmissionRequest:
    """A build for an H200 that no other number's build is the same as."""
    target = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
    return replace(lenet.plain("sm_90"), targets=(target,), build_options={"avg_timing_iterations": number})


def posing_as_tensorrt(folder: Path, body: str) -> Toolchain:
    folder.mkdir(exist_ok=True)
    can = Capabilities(compute_capabilities=(ComputeCapability(9, 0),))
    return replace(Bench(folder).poser(body), kind=ToolchainKind.TENSORRT, version="8.5.3.1", capabilities=can)


class Heard:
    """What builders said, in the order in which they said it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._said = threading.Condition()

    def __call__(self, _job: Job, event: Progress | LogLine) -> None:
        with self._said:
            self.texts.append(event.text if isinstance(event, LogLine) else event.stage)
            self._said.notify_all()

    def until(self, count: int) -> list[str]:
        with self._said:
            assert self._said.wait_for(lambda: len(self.texts) >= count, timeout=60)
            return list(self.texts)


def runner(lenet: LeNetFarm, toolchain: Toolchain, heard: Heard, owner: str = "worker") -> Runner:
    places = Places(2, lambda: keeper_of_host(2 << 30, {}))
    return Runner(lenet.farm, owner, lambda: [toolchain], publish=nobody, listener=heard, places=places)


def test_two_gpus_build_two_engines_at_a_time_and_no_third(lenet: LeNetFarm, gpus: PosedGpus, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        lenet.submit(on_h200(lenet, number))
    heard, hangs = Heard(), posing_as_tensorrt(tmp_path / "trt", TELL + "signal.pause()")
    hands = runner(lenet, hangs, heard)
    working = [threading.Thread(target=hands.run_next) for _ in gpus.uuids]
    for thread in working:
        thread.start()
    assert sorted(heard.until(2)) == sorted(gpus.uuids)
    assert not hands.run_next()
    # A client beside the worker has its own eyes, but finds the same locks.
    assert not runner(lenet, hangs, Heard(), "client").run_next()
    assert len(lenet.queued()) == 1
    hands.stop()
    for thread in working:
        thread.join()
    assert len(lenet.queued()) == 3
    assert {(job.capability, job.error) for job in lenet.queued()} == {("tensorrt-8.5.3.1/sm_90", None)}


def test_a_builder_that_needs_no_gpu_sees_none(
    lenet: LeNetFarm, gpus: PosedGpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    lenet.submit(lenet.plain())
    heard = Heard()
    assert runner(lenet, posing_as_rtx(tmp_path, TELL + "sys.exit(3)"), heard).run_next()
    assert heard.texts == [""]


def test_a_client_says_why_nobody_builds_and_goes_on_when_there_is_room(
    lenet: LeNetFarm, gpus: PosedGpus, tmp_path: Path
) -> None:
    for number in (0, 1):
        gpus.say(number, used=H200["total"], holders=[[4711, H200["total"]]])
    submission, excuses = lenet.submit(on_h200(lenet)), list[str]()
    fails = "send(event='failure', code='bad_model', message='no', cause=None, remedy=None, trace=None); sys.exit(1)"

    def excuse(job: Job, reason: str) -> None:
        excuses.append(f"{job.kind}: {reason}")
        gpus.say(1, used=H200["used"], holders=[])

    ended = see_through(
        lenet.farm,
        submission.id,
        [posing_as_tensorrt(tmp_path / "trt", fails)],
        watcher=lambda _: None,
        listener=lambda _job, _event: None,
        excuser=excuse,
    )
    assert ended.state == "failed"
    assert len(excuses) == 1
    assert excuses[0].startswith("build: NVIDIA H200 here has no room: 0 MiB are free")
    assert "in use by process (4711)" in excuses[0]


def test_job_after_job_that_fails_is_the_workers_fault(lenet: LeNetFarm, tmp_path: Path) -> None:
    standing, crashes = Standing(in_a_row=2), posing_as_rtx(tmp_path, "os.abort()")
    with Presence(lenet.farm, WORKER) as presence:
        runner = Runner(lenet.farm, presence.owner, lambda: [crashes], publish=nobody, standing=standing)
        hands = Hands(lenet.farm, presence.owner, runner, standing, GpuKeeper())
        lenet.submit(lenet.plain("sm_80"))
        hands.work()
        assert (lenet.queued(), standing.lost) == ([], None)  # one job, however often it was tried
        lenet.submit(lenet.plain("sm_86"))
        hands.work()
        worker = worker_named(lenet.farm.database, presence.owner)
        assert worker.state is WorkerState.QUARANTINED
        assert "2 jobs failed in a row, the last with: the builder crashed with SIGABRT" in str(worker.reason)
        [left] = lenet.queued()
        hands.work()
        assert lenet.queued() == [left]
