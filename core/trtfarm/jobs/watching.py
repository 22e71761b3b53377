"""Following a job that runs anywhere, by its history in the database."""

from __future__ import annotations

import threading
from collections.abc import Callable

from trtfarm.database.session import Database
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.manager import JobManager

#: How often the database is asked: SQLite has no way to wake another process.
_LOOK_SECONDS = 0.2


def until_ended(database: Database, jobs: JobManager, job_id: str, listener: Callable[[list[Event]], None]) -> Job:
    """Hands every event to the listener, page by page, and returns the job when it is at its end."""
    pause, after = threading.Event(), 0
    while True:
        job = jobs.get(job_id)  # before its events: those of its end are then among them
        while page := events_since(database, job_id, after):
            after = page[-1].id
            listener(page)
        if not job.state.live:
            return job
        pause.wait(_LOOK_SECONDS)
