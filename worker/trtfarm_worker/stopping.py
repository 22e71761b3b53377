"""What runs now, and how all of it is ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trtfarm_worker.builder.cancellation import CancelToken


class Stopping:
    """Asked for once, from any thread; then the builders that run end, and those that begin later end at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: set[CancelToken] = set()
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def idle(self) -> bool:
        """Whether no builder runs."""
        with self._lock:
            return not self._tokens

    def wait(self, seconds: float) -> bool:
        """Waits until it is asked for, but no longer than that; True if it is."""
        return self._asked.wait(seconds)

    def ask(self) -> None:
        with self._lock:
            self._asked.set()
            for token in self._tokens:
                token.cancel()

    @contextmanager
    def token(self) -> Iterator[CancelToken]:
        """What ends a builder that runs as long as the block."""
        token = CancelToken()
        with self._lock:
            self._tokens.add(token)
            if self._asked.is_set():
                token.cancel()
        try:
            yield token
        finally:
            with self._lock:
                self._tokens.discard(token)
