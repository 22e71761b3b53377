"""The jobs that wait for a worker, and what those before them have taken, as SQL; the manager's tools, nobody else's.

Whatever a claim reads is asked for in the order of an index, and in a transaction of `Database.steady_write` PostgreSQL
cannot but read that one. What it believes of this table is wrong whenever many jobs have come since it last looked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, TextClause, bindparam, func, literal_column, or_, select, tuple_
from sqlalchemy.orm import Session

from trtfarm.database.clock import now
from trtfarm.database.kept import Kept
from trtfarm.database.work import QUEUED_JOBS, RUNNING_JOBS, ProjectRow, WorkerRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.workers import WorkerState

#: The very words of the indexes: with the state as a parameter no database could tell that it may use a partial one.
QUEUED, RUNNING = QUEUED_JOBS, RUNNING_JOBS
#: Written out: where it is a parameter PostgreSQL plans for any limit.
ONE: ColumnElement[int] = literal_column("1", Integer)
#: Waiting jobs, of which a worker takes some tens at once at most.
_ENOUGH = 1_000
#: Within a turn of weight 1 each project takes as many as its weight, and one more.
_MOST_TURNS = 1_000


def order() -> tuple[ColumnElement[Any], ...]:
    """Highest priority first, then the one that has waited longest."""
    return JOBS.c.priority.desc(), JOBS.c.queued_at, JOBS.c.id


def in_queue(capability: Any, requires: Any, project: Any) -> tuple[ColumnElement[bool] | TextClause, ...]:
    """The conditions of the jobs that wait in a queue."""
    return QUEUED, JOBS.c.capability == capability, JOBS.c.requires == requires, JOBS.c.project == project


def turns_where(which: ColumnElement[bool]) -> Select[str, float]:
    """(project, turn) of the jobs of this condition that were taken last, the newest first."""
    return select(JOBS.c.project, JOBS.c.turn).where(which).order_by(JOBS.c.turn.desc()).limit(_MOST_TURNS)


def for_each_worker(session: Session, capability: str) -> int:
    """How many of the jobs that wait for a capability there are for each worker; no more than it takes to know."""
    ((waiting, workers),) = _WAITING_AND_WORKERS(session, need=capability)
    return int(waiting // max(workers, 1))


def _waiting_and_workers(_dialect: str) -> list[Any]:
    ready = WorkerRow.state == WorkerState.READY.value, WorkerRow.lease_until > now()
    workers = select(func.count()).select_from(WorkerRow).where(*ready).scalar_subquery()
    some = select(JOBS.c.id).where(QUEUED, JOBS.c.capability == bindparam("need")).order_by(JOBS.c.requires)
    return [select(func.count().label("waiting"), workers.label("workers")).select_from(some.limit(_ENOUGH).subquery())]


def has_room(session: Session, project: str) -> bool:
    """Whether a project runs fewer jobs than it may; nobody else takes one for it before this transaction ends."""
    limit = select(ProjectRow.max_running).where(ProjectRow.name == project).with_for_update()
    most = session.scalar(limit)
    if most is None:
        return True
    running = select(JOBS.c.id).where(RUNNING, JOBS.c.project == project).order_by(JOBS.c.capability).limit(most)
    return (session.scalar(select(func.count()).select_from(running.subquery())) or 0) < most


def before(session: Session, job: Job, project: str, priority: int) -> int:
    """How many queued jobs of a project would be done before this one, had it that priority in its queue."""
    later = JOBS.c.priority == priority, tuple_(JOBS.c.queued_at, JOBS.c.id) < (job.queued_at, job.id)
    sooner = or_(JOBS.c.priority > priority, later[0] & later[1])
    mine = in_queue(job.capability, job.requires, project)
    counted = select(func.count()).select_from(JOBS).where(*mine, sooner)
    return session.scalar(counted) or 0


_WAITING_AND_WORKERS = Kept(_waiting_and_workers)
