"""Whether job after job fails on a worker: then the worker is to blame, and not the jobs."""

from __future__ import annotations

import threading

from trtfarm.errors import BuilderError, ToolchainError, TrtfarmError

#: Different jobs in a row; one job that crashes TensorRT wherever it runs is no reason.
_IN_A_ROW = 5


class Standing:
    """Threads may share it."""

    def __init__(self, in_a_row: int = _IN_A_ROW) -> None:
        self._in_a_row = in_a_row
        self._failed: dict[str, TrtfarmError] = {}
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """A job came to its end here; also what makes the worker start anew after it was quarantined."""
        with self._lock:
            self._failed.clear()

    def failed(self, job_id: str, error: TrtfarmError) -> None:
        """A job failed here; the user's mistakes do not count."""
        if isinstance(error, ToolchainError) or (isinstance(error, BuilderError) and error.retryable):
            with self._lock:
                self._failed[job_id] = error

    @property
    def lost(self) -> str | None:
        """Why the worker should take no more jobs; None while it may."""
        with self._lock:
            if len(self._failed) < self._in_a_row:
                return None
            last = list(self._failed.values())[-1]
            return f"{len(self._failed)} jobs failed in a row, the last with: {last.message}"
