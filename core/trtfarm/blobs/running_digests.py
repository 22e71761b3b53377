"""Digests of what comes in pieces, taken on the way."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

#: Uploads that are under way in one process; the digest of an older one is taken from its file again.
_MOST = 1000


class RunningDigest:
    """The digest of the first `place` bytes of an upload."""

    def __init__(self) -> None:
        self.place = 0
        self._sha256 = hashlib.sha256()

    def update(self, data: memoryview) -> None:
        self._sha256.update(data)
        self.place += len(data)

    def __str__(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


class RunningDigests:
    """Digests of what this process has written of each upload, so that a whole one need not be read again.

    Threads may share it: of one upload only one piece is written at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: OrderedDict[str, RunningDigest] = OrderedDict()

    def at(self, upload_id: str, place: int) -> RunningDigest | None:
        """The one to go on with from there; None where another process has written what is before it."""
        with self._lock:
            if place == 0:
                self._running[upload_id] = RunningDigest()
            while len(self._running) > _MOST:
                self._running.popitem(last=False)
            found = self._running.get(upload_id)
            return found if found is not None and found.place == place else None

    def forget(self, upload_id: str) -> None:
        with self._lock:
            self._running.pop(upload_id, None)
