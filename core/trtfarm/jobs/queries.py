"""Lists of jobs, with filters."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, select

from trtfarm.database.session import Database
from trtfarm.database.work import JobRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState

_jobs = cast(Table, JobRow.__table__)


def list_jobs(
    database: Database, *, state: JobState | None = None, kind: str | None = None, limit: int = 100
) -> list[Job]:
    """The newest jobs, newest first."""
    wanted = select(_jobs).order_by(_jobs.c.created.desc(), _jobs.c.id.desc()).limit(limit)
    if state is not None:
        wanted = wanted.where(_jobs.c.state == state)
    if kind is not None:
        wanted = wanted.where(_jobs.c.kind == kind)
    with database.read() as session:
        return [Job(**row) for row in session.execute(wanted).mappings()]
