"""Ctrl-C: the first one stops a command, which then gives back what it holds in peace; further ones change nothing.

A second KeyboardInterrupt would break into just that: jobs would stay claimed by nobody until their leases run out.
"""

from __future__ import annotations

import signal
from types import FrameType


def die_of_interrupts() -> None:
    """For a process that has nothing yet: Ctrl-C ends it at once, without Python's words on where it was."""
    # Whoever started this in the background may have switched Ctrl-C off.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_first_interrupt() -> None:
    """From now on the first Ctrl-C raises KeyboardInterrupt in the main thread."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _raise_once)


def _raise_once(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
