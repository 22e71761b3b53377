"""A way to a server on which connections break after so many bytes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

_CHUNK = 1 << 14


class BreakingWay:
    """Passes connections on to a port of this machine.

    `cuts` says after how many bytes, both ways together, the next connections break; those behind them hold.
    """

    def __init__(self, port: int) -> None:
        self.cuts: list[int] = []
        self.broken = 0
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._passing: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in (self._thread, *self._passing):
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            left = _Left(self.cuts.pop(0) if self.cuts else None)
            for one, other in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass, args=(one, other, left))
                self._passing.append(thread)
                thread.start()

    def _pass(self, one: socket.socket, other: socket.socket, left: _Left) -> None:
        with suppress(OSError):
            while data := one.recv(_CHUNK):
                if not left.take(len(data)):
                    self.broken += 1
                    break
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        left.leave(one, other)


class _Left:
    """Bytes that a connection may still pass; the second of its two threads to leave closes it."""

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._threads = 2
        self._lock = threading.Lock()

    def leave(self, *ends: socket.socket) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                for end in ends:
                    end.close()

    def take(self, count: int) -> bool:
        with self._lock:
            if self._count is None:
                return True
            self._count -= count
            return self._count > 0
