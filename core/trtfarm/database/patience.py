"""How long the clients of a PostgreSQL server wait for it: while they work, and once they are to end.

libpq's limits are for a server that has gone. The host of one that is frozen still answers every packet, so nothing
would end the wait for it; while a process works, it may wait, as the server may go on. One that is to end may not.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from sqlalchemy import Dialect, Engine, event

#: Seconds that a server may take to answer at all.
CONNECT_SECONDS = 10
#: Seconds after which a server that answers no packet is gone: its host lost power, or a network was cut. Without a
#: limit its clients would wait for as long as the kernel sends again, which is a quarter of an hour.
GONE_SECONDS = 20
#: libpq's words for these: an idle connection is asked three times in the rest of that time.
LIMITS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": GONE_SECONDS // 4,
    "keepalives_interval": GONE_SECONDS // 4,
    "keepalives_count": 3,
    "tcp_user_timeout": GONE_SECONDS * 1000,
}
#: The least that libpq takes for its `connect_timeout`.
_LEAST_SECONDS = 2


class Patience:
    """Knows the open connections of an engine, and cuts them when the time is up; threads may share it."""

    def __init__(self, engine: Engine) -> None:
        self._open: WeakSet[Any] = WeakSet()
        self._until = math.inf
        self._lock = threading.Lock()
        self._errors = OSError, engine.dialect.loaded_dbapi.Error
        event.listen(engine, "do_connect", self._limit)
        event.listen(engine, "connect", self._note)

    def end_in(self, seconds: float) -> None:
        """Whoever waits for the server then, or wants to later, gets the driver's OperationalError."""
        self._until = min(self._until, time.monotonic() + seconds)
        cutting = threading.Timer(seconds, self._cut)
        cutting.daemon = True
        cutting.start()

    def _limit(self, dialect: Dialect, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise dialect.loaded_dbapi.OperationalError("this process ends, and waits for the server no more")
        if left < math.inf:
            given = int(parameters.get("connect_timeout", CONNECT_SECONDS))
            parameters["connect_timeout"] = max(_LEAST_SECONDS, min(given, math.ceil(left)))

    def _note(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._open.add(connection)
        if time.monotonic() >= self._until:
            self._shut(connection)

    def _cut(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            self._shut(connection)

    def _shut(self, connection: Any) -> None:
        """Ends a connection under those who wait for an answer: they read its end."""
        # Whoever uses it may close it just now. Of a Unix socket the family is wrong, to which shutting is the same.
        with (
            suppress(*self._errors),
            socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)
