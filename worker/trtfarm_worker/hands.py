"""What makes a worker work: hints from the broker, and a look of its own every few seconds.

Because it looks by itself, a lost message, a broker that is down, a toolchain that was added, a GPU that another
process let go of, and a worker that goes on after a pause all cost a moment and nothing else.
"""

from __future__ import annotations

import os
import signal
import threading
from types import TracebackType
from typing import Self

from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.workers import WorkerState, set_state, state_of
from trtfarm_worker.gpus.keeper import GpuKeeper
from trtfarm_worker.logs import logger
from trtfarm_worker.runner import Runner
from trtfarm_worker.standing import Standing

_log = logger()
_LOOK_SECONDS = 5.0


class Hands:
    """Threads that got a hint call `work`; from `begin` to the end of the block it also looks for jobs by itself."""

    def __init__(self, farm: Farm, owner: str, runner: Runner, standing: Standing, keeper: GpuKeeper) -> None:
        self._farm = farm
        self._owner = owner
        self._runner = runner
        self._standing = standing
        #: Whether the worker was told to leave, and has.
        self.drained = False
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._look, name="look"),
            threading.Thread(target=keeper.watch, args=(self._ended,), name="xids", daemon=True),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._runner.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def work(self) -> None:
        """Does what can be done here until nothing is left, or no place, or the worker is to take no more jobs."""
        try:
            while self._may() and self._runner.run_next():
                self._judge()
        except TrtfarmError as error:
            _log.warning("no job was taken, or its end could not be told", error=error.message, cause=error.cause)

    def _look(self) -> None:
        while not self._ended.is_set():
            self.work()
            self._leave_when_drained()
            self._ended.wait(_LOOK_SECONDS)

    def _may(self) -> bool:
        if state_of(self._farm.database, self._owner) is not WorkerState.READY:
            return False
        if self._standing.lost:  # it was quarantined, and somebody said that it shall go on
            self._standing.succeeded()
        return True

    def _judge(self) -> None:
        if (reason := self._standing.lost) is not None:
            set_state(self._farm.database, self._owner, WorkerState.QUARANTINED, reason)
            _log.error("worker takes no more jobs", worker=self._owner, reason=reason, remedy="trtfarm workers resume")

    def _leave_when_drained(self) -> None:
        try:
            drained = state_of(self._farm.database, self._owner) is WorkerState.DRAINING
        except TrtfarmError:
            return
        if drained and self._runner.idle and not self._ended.is_set():
            _log.info("worker is drained", worker=self._owner)
            self.drained = True
            self._ended.set()
            os.kill(os.getpid(), signal.SIGTERM)
