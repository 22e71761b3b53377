"""A small process manager: keeps named programs running until it is told to stop.

Signals arrive through sigtimedwait, so it reacts at once to a child's death and needs neither handlers nor polling.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
#: A program that ran this long is taken to be well; its next death counts as the first.
_WELL_AFTER = 60.0
GRACE_SECONDS = 20.0
#: How long a program that was told to end still waits for a database that says nothing: it has to end in time.
LAST_SECONDS = 10.0
_LONGEST_WAIT = 3600.0
#: Tells a program which process its manager is.
_MANAGER = "TRTFARM_MANAGER"
_PR_SET_PDEATHSIG = 1
_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


@dataclass
class _Program:
    name: str
    arguments: Sequence[str]
    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    pause: float = field(default=_FIRST_PAUSE)


def keep_running(
    programs: Mapping[str, Sequence[str]],
    *,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
    left_code: int | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> None:
    """Runs each program (name -> Python's arguments) and starts again what dies, with growing pauses.

    One that ends with the exit code `left_code` was told to leave, and is not started again. Returns after SIGTERM or
    SIGINT, when all have ended; what does not end within `grace_seconds` of SIGTERM is killed.
    """
    running = [_Program(name, arguments) for name, arguments in programs.items()]
    environment = {**environment, _MANAGER: str(os.getpid())}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        while True:
            _start_due(running, environment, tell)
            seen = signal.sigtimedwait(_WATCHED, _until_next_start(running))
            if seen and seen.si_signo != signal.SIGCHLD:
                break
            for program, code in _reap(running):
                if code == left_code:
                    tell(f"{program.name} has left")
                    program.start_at = math.inf
                else:
                    tell(f"{program.name} ended, again in {program.pause:g} s")
                    _put_off(program)
    finally:
        _stop(running, grace_seconds)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_manager() -> None:
    """For programs: from here on they get SIGTERM when their manager dies, however it dies; if they have one."""
    manager = os.environ.get(_MANAGER)
    if manager is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(manager):  # it died before, and no signal will come
        os.kill(os.getpid(), signal.SIGTERM)


def _start_due(programs: Sequence[_Program], environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
    for program in programs:
        if program.pid or program.start_at > time.monotonic():
            continue
        # The manager's blocked signals must not be inherited: a program with SIGTERM blocked cannot be stopped.
        program.pid = os.posix_spawn(
            sys.executable, [sys.executable, *program.arguments], dict(environment), setpgroup=0, setsigmask=[]
        )
        program.started = time.monotonic()
        tell(f"{program.name} started, process {program.pid}")


def _until_next_start(programs: Sequence[_Program]) -> float:
    waits = [program.start_at - time.monotonic() for program in programs if not program.pid]
    return max(0.0, min([*waits, _LONGEST_WAIT]))


def _reap(programs: Sequence[_Program]) -> list[tuple[_Program, int]]:
    """The programs that have ended since the last look, with their exit codes; of a signal, its negative number."""
    ended = []
    for program in programs:
        pid, status = os.waitpid(program.pid, os.WNOHANG) if program.pid else (0, 0)
        if pid:
            program.pid = 0
            ended.append((program, os.waitstatus_to_exitcode(status)))
    return ended


def _put_off(program: _Program) -> None:
    now = time.monotonic()
    if now - program.started > _WELL_AFTER:
        program.pause = _FIRST_PAUSE
    program.start_at = now + program.pause
    program.pause = min(program.pause * 2, _LONGEST_PAUSE)


def _stop(programs: Sequence[_Program], grace_seconds: float) -> None:
    _send(programs, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while any(program.pid for program in programs):
        if time.monotonic() > deadline:
            _send(programs, signal.SIGKILL)
            deadline = math.inf
        signal.sigtimedwait((signal.SIGCHLD,), min(_LONGEST_WAIT, max(0.0, deadline - time.monotonic())))
        _reap(programs)


def _send(programs: Sequence[_Program], which: signal.Signals) -> None:
    for program in programs:
        if program.pid:
            os.kill(program.pid, which)
