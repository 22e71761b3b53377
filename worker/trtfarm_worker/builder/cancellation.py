"""A request to stop that wakes whoever waits for it at once."""

from __future__ import annotations

import os
import weakref


class CancelToken:
    """Set once, from any thread; its descriptor then stays readable, so any number of waiters can select on it."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._cancelled = False
        weakref.finalize(self, os.close, self._descriptor)

    def cancel(self) -> None:
        self._cancelled = True
        os.eventfd_write(self._descriptor, 1)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def fileno(self) -> int:
        return self._descriptor
