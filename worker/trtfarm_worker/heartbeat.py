"""Keeps claims alive until they are committed, and carries what a builder says to the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
    """A thread beside running jobs: renews the lease of the one that runs, writes its events, and ends its builder.

    The builder is ended when someone cancelled the job, and when the claim is lost, for then all it does is in vain.
    What is being committed is renewed, too: that lasts where the blobs or the database are away.
    """

    def __init__(
        self, database: Database, jobs: JobManager, *, lease_seconds: float, tick: Callable[[], None] = lambda: None
    ) -> None:
        """`tick` is called every half second, in the thread."""
        self._database = database
        self._jobs = jobs
        self._tick = tick
        self._beats_every = max(1, int(min(_BEAT_SECONDS, lease_seconds / _BEATS_PER_LEASE) / _FLUSH_SECONDS))
        self._lines: list[Line] = []
        self._running: tuple[Claim, CancelToken] | None = None
        self._kept: dict[str, Claim] = {}
        self._lock = threading.Lock()
        #: Held while lines are on their way, so that those of one job never come in another order or under another's.
        self._flushing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def beside(self, claim: Claim, token: CancelToken) -> Iterator[None]:
        """Looks after a job while the block lasts; one at a time."""
        self._running = claim, token
        try:
            yield
        finally:
            try:
                self._flush()
            except StorageError as failed:
                _log.warning("the last log lines are lost", job=claim.job.id, error=failed.message)
                self.take()
            with self._flushing:
                self._running = None

    @contextmanager
    def keeping(self, claims: Sequence[Claim]) -> Iterator[None]:
        """Renews the leases of jobs that are done while the block lasts, which commits them."""
        kept = {claim.job.id: claim for claim in claims}
        with self._lock:
            self._kept |= kept
        try:
            yield
        finally:
            with self._lock:
                self._kept = {job_id: claim for job_id, claim in self._kept.items() if job_id not in kept}

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
                self._tick()
                self._flush()
                if ticks % self._beats_every == 0:
                    self.beat()
            except StorageError:
                # A database that is away for a moment is no reason to drop hours of work: the lease decides.
                continue

    def beat(self) -> None:
        """Renews all leases now. Raises StorageError."""
        with self._lock:
            running, kept = self._running, list(self._kept.values())
        for claim in kept:
            with suppress(ClaimLostError):  # or committed just now
                self._jobs.beat(claim)
        if running is None:
            return
        claim, token = running
        try:
            if self._jobs.beat(claim):
                token.cancel()
        except ClaimLostError:
            token.cancel()

    def _flush(self) -> None:
        with self._flushing:
            if self._running is None or not (lines := self.take()):
                return
            claim, _ = self._running
            try:
                record(self._database, claim.job.id, claim.attempt, lines)
            except StorageError:
                with self._lock:
                    self._lines[:0] = lines
                raise


def _line(event: Progress | LogLine) -> tuple[str, dict[str, Any]]:
    if isinstance(event, Progress):
        return "progress", {"stage": event.stage, "done": event.done, "total": event.total, "unit": event.unit}
    return "log", {"level": event.level, "text": event.text}
