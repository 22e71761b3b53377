"""Runs one step in a builder process and watches over it until nothing of it is left."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from trtfarm.errors import (
    BuilderCancelledError,
    BuilderCrashError,
    BuilderMemoryError,
    BuilderTimeoutError,
)
from trtfarm_worker.builder import session
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.child import Child, started
from trtfarm_worker.builder.ending import MEMORY_REMEDY, Ending, oom_kills
from trtfarm_worker.builder.events import (
    Answer,
    Event,
    EventDecoder,
    Failure,
    HandedOver,
    LogLine,
    MalformedEventError,
    Progress,
)
from trtfarm_worker.builder.native_log import NativeLog
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest
from trtfarm_worker.builder.throttle import Throttle

NATIVE_LOG_NAME = "native.log"
Listener = Callable[[Progress | LogLine], None]
Taker = Callable[[Mapping[str, Any]], None]
#: Has a builder work on a request; at the end of the block nothing of it is left.
Start = Callable[[BuilderRequest], AbstractContextManager[Child]]
_MEMORY_SECONDS = 0.25
_READ_BYTES = 1 << 16
#: The most that an unprivileged process can make a pipe hold (fs.pipe-max-size).
_PIPE_BYTES = 1 << 20
#: A stack of Python calls, innermost first, is as long as that.
_TAIL_LINES = 30


def run_builder(
    request: BuilderRequest,
    *,
    on_event: Listener,
    on_handed_over: Taker = lambda _result: None,
    should_stop: CancelToken | None = None,
    start: Start = started,
) -> BuilderAnswer:
    """Does `request.step` in a process of its own and gives back its answer.

    `on_event` is called in this thread with progress and log lines, and `on_handed_over` with what the builder wants to
    be kept before it has an answer; what they raise ends the builder and passes through. `should_stop` ends the
    builder as soon as it is cancelled.

    Raises the error that the builder reports, else BuilderCrashError, BuilderMemoryError, BuilderTimeoutError or
    BuilderCancelledError; ToolchainError when the toolchain's interpreter does not start. No process is left behind in
    any case, and native.log in the scratch folder holds what the builder printed.
    """
    if should_stop is not None and should_stop.cancelled:
        raise _cancelled(request)
    request.scratch.mkdir(parents=True, exist_ok=True)
    with NativeLog(request.scratch / NATIVE_LOG_NAME) as log, start(request) as child:
        watch = _Watch(
            request=request,
            child=child,
            log=log,
            on_event=on_event,
            on_handed_over=on_handed_over,
            should_stop=should_stop,
        )
        try:
            return watch.until_answer()
        except MalformedEventError as error:
            raise BuilderCrashError(
                "the builder sent what is no event",
                cause=str(error),
                remedy="its memory may be corrupt; see native.log",
            ) from error


@dataclass
class _Watch:
    """The state of one run. All times are time.monotonic seconds."""

    request: BuilderRequest
    child: Child
    log: NativeLog
    on_event: Listener
    on_handed_over: Taker
    should_stop: CancelToken | None
    outcome: Answer | Failure | None = None
    handed_over: bool = False
    peak_memory: int = 0
    begun: float = field(default_factory=time.monotonic)
    oom_kills_before: int = field(default_factory=oom_kills)
    decoder: EventDecoder = field(default_factory=EventDecoder)
    throttle: Throttle = field(default_factory=Throttle)

    def __post_init__(self) -> None:
        self.last_event = self.begun
        self.memory_due = self.begun + _MEMORY_SECONDS

    def until_answer(self) -> BuilderAnswer:
        try:
            with selectors.DefaultSelector() as selector:
                self._register(selector)
                while not self._step(selector):
                    self._check_limits(time.monotonic())
        except (BuilderCancelledError, BuilderTimeoutError):
            session.terminate(self.child.process.pid, self.request.limits.grace_seconds)
            raise
        return self._conclude()

    def _register(self, selector: selectors.BaseSelector) -> None:
        selector.register(self.child.events, selectors.EVENT_READ, self._read_events)
        selector.register(self.child.printed, selectors.EVENT_READ, self._read_printed)
        selector.register(self.child.exit, selectors.EVENT_READ)
        if self.should_stop is not None:
            selector.register(self.should_stop, selectors.EVENT_READ)

    def _step(self, selector: selectors.BaseSelector) -> bool:
        """Waits for the next thing to happen and takes it in; True when the builder has ended."""
        limits = self.request.limits
        due = min(self.begun + limits.wall_seconds, self.last_event + limits.silent_seconds, self.memory_due)
        ready = selector.select(max(0.0, due - time.monotonic()))
        for key, _ in ready:
            # A pipe that was closed at the other end stays readable for ever.
            if key.data is not None and key.data() == b"":
                selector.unregister(key.fileobj)
        if self.should_stop is not None and self.should_stop.cancelled:
            raise _cancelled(self.request)
        return any(key.fd == self.child.exit for key, _ in ready)

    def _check_limits(self, now: float) -> None:
        limits = self.request.limits
        if now >= self.begun + limits.wall_seconds:
            raise BuilderTimeoutError(
                f"{self.request.step} ran for longer than {limits.wall_seconds:g} s",
                remedy="raise TRTFARM_WALL_SECONDS, or give it less to do",
            )
        if now >= self.last_event + limits.silent_seconds:
            raise BuilderTimeoutError(
                f"{self.request.step} gave no sign of life for {limits.silent_seconds:g} s",
                cause=self.log.tail(_TAIL_LINES) or "it may hang; it printed nothing",
                remedy="raise TRTFARM_SILENT_SECONDS if it is only slow",
            )
        if now >= self.memory_due:
            self._check_memory()
            self.memory_due = now + _MEMORY_SECONDS

    def _check_memory(self) -> None:
        used = session.memory_bytes(self.child.process.pid)
        self.peak_memory = max(self.peak_memory, used)
        if used > self.request.limits.memory_bytes:
            raise BuilderMemoryError(
                f"{self.request.step} took {used >> 20} MiB of memory, over its limit of "
                f"{self.request.limits.memory_bytes >> 20} MiB",
                remedy=MEMORY_REMEDY,
            )

    def _read_events(self) -> bytes | None:
        data = _read(self.child.events)
        for event in self.decoder.feed(data or b""):
            self._take(event)
        return data

    def _read_printed(self) -> bytes | None:
        data = _read(self.child.printed)
        self.log.write(data or b"")
        return data

    def _take(self, event: Event) -> None:
        if isinstance(event, Answer | Failure):
            if self.outcome is not None:
                raise MalformedEventError("a second answer")
            self.outcome = event
        elif isinstance(event, HandedOver):
            if self.outcome is not None or self.handed_over:
                raise MalformedEventError("handed over too late, or twice")
            self.handed_over = True
            self.on_handed_over(event.result)
        # Native threads may still log after the answer; nobody needs to hear that.
        elif self.outcome is None and self.throttle.admits(event, time.monotonic()):
            self.on_event(event)
        # Only now: while a listener waits for a database, the builder is not the silent one.
        self.last_event = time.monotonic()

    def _conclude(self) -> BuilderAnswer:
        process = self.child.process
        # What the builder started could write for ever; the builder itself stays unreaped, so its id is still its own.
        session.kill(process.pid)
        returncode = _returncode(process.pid)
        self._read_to_the_end(self._read_printed)
        self._read_last_events(returncode)
        for event in self.throttle.leftover():
            self.on_event(event)
        if isinstance(self.outcome, Failure) and self.outcome.trace:
            self.log.write(self.outcome.trace.encode())
        ending = Ending(
            returncode=returncode,
            outcome=self.outcome,
            tail=self.log.tail(_TAIL_LINES),
            oom_killed=oom_kills() > self.oom_kills_before,
        )
        return BuilderAnswer(
            result=ending.result(),
            scratch=self.request.scratch,
            native_log=self.log.path,
            seconds=time.monotonic() - self.begun,
            peak_memory_bytes=self.peak_memory,
        )

    def _read_to_the_end(self, read: Callable[[], bytes | None]) -> None:
        """Reads what a pipe can hold and no more: a process that left the session could write for ever."""
        for _ in range(_PIPE_BYTES // _READ_BYTES + 1):
            if not read():
                break

    def _read_last_events(self, returncode: int) -> None:
        try:
            self._read_to_the_end(self._read_events)
            self.decoder.end()
        except MalformedEventError:
            # A builder that died in mid-sentence is explained by its death.
            if returncode == 0:
                raise


def _read(descriptor: int) -> bytes | None:
    """What is there to read: None when nothing is, empty when nothing will ever be."""
    try:
        return os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return None


def _returncode(process: int) -> int:
    """As subprocess has it: exit code, or the negative number of a signal; the process stays to be reaped."""
    ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    if ended is None:
        raise ChildProcessError(f"process {process} has not ended")
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _cancelled(request: BuilderRequest) -> BuilderCancelledError:
    return BuilderCancelledError(f"{request.step} was cancelled")
