"""Keeps a claim alive while its builder runs, and carries what the builder says to the database."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from trtfarm.database.session import Database
from trtfarm.errors import ClaimLostError, StorageError
from trtfarm.jobs.history import Line, record
from trtfarm.jobs.job import Claim
from trtfarm.jobs.manager import JobManager
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.logs import logger

_log = logger()

#: Events reach the database this often: every write there is a sync of the disk.
_FLUSH_SECONDS = 0.5
_BEATS_PER_LEASE = 4
#: A beat also brings the news that someone cancelled the job.
_BEAT_SECONDS = 2.0


class Heartbeat:
    """A thread beside a running job: renews its lease, writes its events, and ends its builder.

    The builder is ended when someone cancelled the job, and when the claim is lost, for then all it does is in vain.
    """

    def __init__(
        self, database: Database, jobs: JobManager, claim: Claim, token: CancelToken, *, lease_seconds: float
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._claim = claim
        self._token = token
        self._beats_every = max(1, int(min(_BEAT_SECONDS, lease_seconds / _BEATS_PER_LEASE) / _FLUSH_SECONDS))
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {claim.job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        try:
            self._flush()
        except StorageError as failed:
            _log.warning("the last log lines are lost", job=self._claim.job.id, error=failed.message)

    def take(self) -> list[Line]:
        """The lines that are not in the database yet, for who writes them along with something else."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def tell(self, event: Progress | LogLine) -> None:
        """Takes an event of the builder; of progress, only the newest since the last write is kept."""
        self.note(*_line(event))

    def note(self, kind: str, data: dict[str, Any]) -> None:
        """Adds a line to the job's history."""
        with self._lock:
            if kind == "progress" and self._lines and self._lines[-1][0] == "progress":
                self._lines[-1] = kind, data
            else:
                self._lines.append((kind, data))

    def _run(self) -> None:
        ticks = 0
        while not self._ended.wait(_FLUSH_SECONDS):
            ticks += 1
            try:
                self._flush()
                if ticks % self._beats_every == 0 and self._jobs.beat(self._claim):
                    self._token.cancel()
            except ClaimLostError:
                self._token.cancel()
                return
            except StorageError:
                # A database that is away for a moment is no reason to drop hours of work: the lease decides.
                continue

    def _flush(self) -> None:
        lines = self.take()
        if not lines:
            return
        try:
            record(self._database, self._claim.job.id, self._claim.attempt, lines)
        except StorageError:
            with self._lock:
                self._lines[:0] = lines
            raise


def _line(event: Progress | LogLine) -> tuple[str, dict[str, Any]]:
    if isinstance(event, Progress):
        return "progress", {"stage": event.stage, "done": event.done, "total": event.total, "unit": event.unit}
    return "log", {"level": event.level, "text": event.text}
