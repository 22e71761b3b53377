"""Telling the broker of new jobs: at once, and of many within a moment together.

A message only wakes: while jobs come in one after another, a few messages a second keep everybody awake.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import cache

from trtfarm.errors import StorageError
from trtfarm.farm import Farm
from trtfarm.jobs.reconcile import Publisher, publish
from trtfarm.workers import ready_workers, slots_for
from trtfarm_worker.logs import logger

_log = logger()

#: After jobs were told of, those that come within so many seconds are told of together.
_MOMENT_SECONDS = 0.25


class Announcer:
    """Threads may share it. What waits for its moment is told of before the process ends."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._waiting: dict[Farm, list[str]] = {}
        self._quiet_until = 0.0
        self._timer: threading.Timer | None = None

    def __call__(self, farm: Farm, job_ids: Sequence[str]) -> None:
        """Tells of jobs that are committed. Where that fails they are found all the same, so it raises nothing."""
        with self._lock:
            self._waiting.setdefault(farm, []).extend(job_ids)
            if self._timer is not None:
                return
            if (left := self._quiet_until - time.monotonic()) > 0:
                self._timer = threading.Timer(left, self._tell)
                self._timer.start()
                return
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            waiting, self._waiting, self._timer = self._waiting, {}, None
            self._quiet_until = time.monotonic() + _MOMENT_SECONDS
        for farm, job_ids in waiting.items():
            try:
                _tell(farm, job_ids, self._publisher)
            except StorageError as error:
                _log.warning("nobody was told of new jobs; they are found all the same", error=error.message)


def _tell(farm: Farm, job_ids: Sequence[str], publisher: Publisher) -> None:
    ready = ready_workers(farm.database)
    # Where there is no worker yet, one that comes hears of them all.
    slots = cache(lambda need: slots_for(need, ready)) if ready else None
    publish(farm.jobs, publisher, farm.jobs.hints.queued(job_ids), slots)
