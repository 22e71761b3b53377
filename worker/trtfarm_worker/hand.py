"""Jobs that were claimed together: done one after another, and committed together when the last one is done."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from trtfarm.jobs.job import Claim
from trtfarm_worker.committing import Work

#: Twice as long as is expected of jobs that are claimed together.
_LONGEST_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What is in a hand: jobs that were not begun, and what was done but not committed."""

    waiting: tuple[Claim, ...]
    #: The job that runs, the first time that it is found running.
    running: Claim | None
    done: tuple[Work, ...]


class Hand:
    """One thread does the jobs; another one may take out all but the one that runs, should that last."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(claims)
        self._running: Claim | None = None
        self._found: Claim | None = None
        self._done: list[Work] = []
        self._born = time.monotonic()

    @property
    def old(self) -> bool:
        """Whether the jobs take longer than was thought: they are not to wait for each other any more."""
        return time.monotonic() - self._born > _LONGEST_SECONDS

    def begin(self) -> Claim | None:
        """The next job, which runs from now on; None if there is none left."""
        with self._lock:
            self._running = self._waiting.popleft() if self._waiting else None
            return self._running

    def end(self, work: Work | None) -> None:
        """The running job has ended; without `work` there is nothing to commit."""
        with self._lock:
            self._running = None
            if work is not None:
                self._done.append(work)

    def take_out(self) -> Rest:
        """Everything; the hand goes on with the job that runs."""
        with self._lock:
            running = None if self._running is self._found else self._running
            rest = Rest(waiting=tuple(self._waiting), running=running, done=tuple(self._done))
            self._found = self._running
            self._waiting.clear()
            self._done.clear()
            return rest
