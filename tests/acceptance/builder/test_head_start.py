"""Builders that begin before there is a request for them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.builder.conftest import Bench, generous
from trtfarm.errors import BuilderTimeoutError
from trtfarm_worker.builder.head_start import HeadStart
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.gpus.turns import Turn, take_turn
from trtfarm_worker.toolchains.toolchain import Toolchain

#: Says how it was started, once asked.
ANSWERING = """
early = "--ahead" in sys.argv
if early:
    header = json.loads(sys.stdin.readline())
    open(os.environ["HOME"] + "/began", "w").close()
    path = sys.stdin.readline().rstrip("\\n")
    os.chdir(os.path.dirname(path))
    request = json.load(open(path))
else:
    request = json.load(sys.stdin)
if request["step"] == "hang":
    signal.pause()
answer(early=early, pid=os.getpid(), folder=os.getcwd(), step=request["step"], gpu=os.environ["CUDA_VISIBLE_DEVICES"])
"""


class Start:
    """A head start on `GPU-1`, and requests for it."""

    def __init__(self, bench: Bench, head: HeadStart, toolchain: Toolchain) -> None:
        self.bench, self.head, self.toolchain = bench, head, toolchain
        self.folder = bench.scratch / "early"
        self.folder.mkdir(parents=True)

    def begin(self) -> None:
        self.head.begin(self.toolchain, "GPU-1", self.folder, generous())

    def turn(self, gpu: str) -> Turn:
        turn = take_turn(gpu, self.bench.folder)
        assert turn is not None
        return turn

    def ask(
        self, name: str, *, step: str = "trt-build", gpu: str = "GPU-1", limits: Limits | None = None
    ) -> BuilderAnswer:
        turn = self.turn(gpu)
        request = BuilderRequest(
            toolchain=self.toolchain,
            step=step,
            args={},
            limits=limits or generous(),
            scratch=self.bench.scratch / name,
            gpu=turn,
        )
        try:
            return self.head.build(request, on_event=self.bench.told.append)
        finally:
            turn.give_back()


@pytest.fixture
def start(bench: Bench) -> Start:
    return Start(bench, HeadStart(), bench.poser(ANSWERING))


def test_the_first_request_goes_to_the_builder_that_has_begun(start: Start) -> None:
    with start.head:
        start.begin()
        first, second = start.ask("first"), start.ask("second")
    assert (first.result["early"], first.result["gpu"], first.result["step"]) == (True, "GPU-1", "trt-build")
    assert first.result["folder"] == str(first.scratch) == str(start.bench.scratch / "first")
    assert (second.result["early"], second.result["folder"]) == (False, str(second.scratch))


def test_another_gpu_is_no_business_of_its(start: Start) -> None:
    with start.head:
        start.begin()
        assert start.ask("other", gpu="GPU-2").result["early"] is False
        assert start.ask("own").result["early"] is True


def test_one_that_was_killed_is_replaced(start: Start) -> None:
    with start.head:
        start.begin()
        (process,) = start.bench.processes_in(start.folder)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert start.ask("first").result["early"] is False


def test_without_a_request_it_ends_with_the_block(start: Start) -> None:
    with start.head:
        start.begin()
        (process,) = start.bench.processes_in(start.folder)
    assert not process.is_running()


def test_it_is_watched_over_like_any_other(start: Start) -> None:
    with start.head:
        start.begin()
        with pytest.raises(BuilderTimeoutError):
            start.ask("first", step="hang", limits=generous(silent_seconds=0.3))
        assert start.bench.processes_in(start.folder) == []
        assert start.ask("second").result["early"] is False


def test_the_real_builder_loads_its_library_ahead(bench: Bench) -> None:
    """It is TensorRT's place that counts: the module says when it was imported, then that it is none."""
    loaded = bench.folder / "loaded"
    os.mkfifo(loaded)
    toolchain = bench.library(f"open({str(loaded)!r}, 'w').write('imported')\nraise ImportError('no TensorRT')")
    start = Start(bench, HeadStart(), toolchain)
    with start.head:
        start.begin()
        assert Path(loaded).read_text() == "imported"  # waits for it, and nothing was asked yet
        (process,) = bench.processes_in(start.folder)
        assert process.is_running()
