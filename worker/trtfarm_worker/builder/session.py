"""The processes of one session: a builder and whatever it started.

A builder leads a session of its own, which its descendants cannot leave but by making another; no TensorRT does that.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

_PROC = Path("/proc")
# Mapped files (a calibration set, say) are left out: the kernel takes those pages back when it needs them.
_MEMORY_FIELDS = ("RssAnon:", "RssShmem:", "VmSwap:")
#: SIGKILL takes effect at once, but for a process inside of a driver's call.
_KILL_SECONDS = 10.0


def members(session: int) -> Iterator[int]:
    """The ids of the session's living processes."""
    for name in os.listdir(_PROC):  # noqa: PTH208 - hundreds of names, four times a second
        with suppress(OSError):
            if name.isdecimal() and os.getsid(int(name)) == session and _alive(int(name)):
                yield int(name)


def _alive(process: int) -> bool:
    folder = _PROC / str(process)
    # The command's name stands in brackets and may itself hold brackets and spaces.
    state = (folder / "stat").read_text("latin-1").rpartition(")")[2].split()[0]
    # That is the first thread's: it may have ended while others run on.
    return state not in "ZX" or len(os.listdir(folder / "task")) > 1  # noqa: PTH208 - as above


def memory_bytes(session: int) -> int:
    """What the session's processes hold together, in bytes; pages that two of them share count twice."""
    return sum(_memory_of(process) for process in members(session))


def _memory_of(process: int) -> int:
    folder = _PROC / str(process)
    # A first thread that has ended has no memory any more; the others have it.
    return _memory_in(folder / "status") or max(map(_memory_in, folder.glob("task/*/status")), default=0)


def _memory_in(path: Path) -> int:
    try:
        status = path.read_text("latin-1")
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith(_MEMORY_FIELDS))


def terminate(session: int, seconds: float) -> None:
    """Asks all processes of the session to end, and waits for up to `seconds`."""
    _signal_and_wait(members(session), signal.SIGTERM, seconds)


def kill(session: int) -> None:
    """Kills the session's processes until none is left, those started in the meantime included."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (left := list(members(session))) and time.monotonic() < deadline:
        _signal_and_wait(left, signal.SIGKILL, deadline - time.monotonic())


def _signal_and_wait(processes: Iterable[int], number: signal.Signals, seconds: float) -> None:
    with ExitStack() as stack:
        waiting = select.poll()
        descriptors = set()
        for process in processes:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(process)
                stack.callback(os.close, descriptor)
                signal.pidfd_send_signal(descriptor, number)
                waiting.register(descriptor, select.POLLIN)
                descriptors.add(descriptor)
        deadline = time.monotonic() + seconds
        while descriptors and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in waiting.poll(left * 1000):
                waiting.unregister(descriptor)
                descriptors.discard(descriptor)
