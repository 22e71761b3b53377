"""Lists of jobs, with filters."""

from __future__ import annotations

from sqlalchemy import select

from trtfarm.catalog.visibility import visible
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.session import Database
from trtfarm.database.work import JobRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState


def list_jobs(
    database: Database,
    *,
    state: JobState | None = None,
    kind: str | None = None,
    owner: str | None = None,
    limit: int = 100,
    within: Window = EVERYTHING,
    project: str | None = None,
) -> list[Job]:
    """The newest jobs of those that a project sees, newest first."""
    wanted = within.newest_first(select(JOBS).where(*visible(JobRow, project)), JOBS.c, limit=limit)
    if state is not None:
        wanted = wanted.where(JOBS.c.state == state)
    if kind is not None:
        wanted = wanted.where(JOBS.c.kind == kind)
    if owner is not None:
        wanted = wanted.where(JOBS.c.owner == owner)
    with database.read() as session:
        return [Job(**row) for row in session.execute(wanted).mappings()]
