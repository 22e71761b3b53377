"""What waits for a free worker and who is next, as SQL; the manager's tools, nobody else's.

In the index `ix_jobs_queued` each project has a queue for each capability, whose first job is found by one look. So
the cost grows with the number of projects that have jobs waiting, and not with that of their jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, case, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from trtfarm.database.work import QUEUED_JOBS, RUNNING_JOBS, ProjectRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.sharing import Queue, Share, Turn, turns

#: The very words of the indexes: with the state as a parameter no database could tell that it may use a partial one.
QUEUED, RUNNING = QUEUED_JOBS, RUNNING_JOBS
#: A worker asks the same again and again, and putting a statement together takes as long as the database does with it.
_STATEMENTS = 256
#: A weight is 1 or more, so that a turn that is older than the newest one by this says nothing about the next.
_LONGEST_TURN = 1.0
#: Within a turn of weight 1 each project takes as many as its weight, and one more.
_MOST_TURNS = 1_000


def order(columns: Any = JOBS.c) -> Iterable[ColumnElement[Any]]:
    """Highest priority first, then the one that has waited longest."""
    return columns.priority.desc(), columns.queued_at, columns.id


def next_turns(session: Session, capabilities: Collection[str], offered: Collection[str]) -> list[Turn]:
    """The queues for these capabilities in the order in which a worker that offers `offered` asks them."""
    found = session.execute(_facts(tuple(sorted(set(capabilities))), tuple(sorted(set(offered))))).all()
    queues = [
        Queue(
            capability=row.capability,
            project=row.project,
            priority=row.priority,
            since=row.since,
            running=row.running or 0,
            running_in_all=row.running_in_all or 0,
            last_turn=row.last_turn,
            share=Share() if row.weight is None else Share(weight=row.weight, max_running=row.max_running),
        )
        for row in found
        if row.since is not None  # another worker took the queue's last job while this statement ran
    ]
    return turns(queues, next((row.newest for row in found if row.newest is not None), 0.0))


@lru_cache(maxsize=_STATEMENTS)
def head(capability: str, project: str) -> Select[tuple[str]]:
    """The id of the job that the next worker with a capability does for a project."""
    return select(JOBS.c.id).where(QUEUED, *_of(capability, project)).order_by(*order()).limit(1)


def has_room(session: Session, project: str) -> bool:
    """Whether a project runs fewer jobs than it may; nobody else takes one for it before this transaction ends."""
    limit = select(ProjectRow.max_running).where(ProjectRow.name == project).with_for_update()
    most = session.scalar(limit)
    if most is None:
        return True
    running = select(func.count()).select_from(JOBS).where(RUNNING, JOBS.c.project == project)
    return (session.scalar(running) or 0) < most


def before(session: Session, job: Job, project: str, priority: int) -> int:
    """How many queued jobs of a project would be done before this one, had it that priority in its queue."""
    later = JOBS.c.priority == priority, tuple_(JOBS.c.queued_at, JOBS.c.id) < (job.queued_at, job.id)
    sooner = or_(JOBS.c.priority > priority, later[0] & later[1])
    counted = select(func.count()).select_from(JOBS).where(QUEUED, *_of(job.capability, project), sooner)
    return session.scalar(counted) or 0


def _of(capability: str, project: str) -> tuple[ColumnElement[bool], ...]:
    return JOBS.c.capability == capability, JOBS.c.project == project


@lru_cache(maxsize=_STATEMENTS)
def _facts(capabilities: tuple[str, ...], offered: tuple[str, ...]) -> Select[Any]:
    """Of each project with a job that waits for one of the capabilities, what `Queue` says, and the newest turn."""
    queues = _queues(capabilities)
    running = (
        select(
            JOBS.c.project,
            func.count().label("in_all"),
            func.sum(case((or_(*(JOBS.c.capability == word for word in offered)), 1), else_=0)).label("here"),
        )
        .where(RUNNING)
        .group_by(JOBS.c.project)
        .subquery()
    )
    newest = select(func.max(JOBS.c.turn)).scalar_subquery()
    # The limit is hardly ever met: it has PostgreSQL, which takes any range for a third of the table, use the index.
    latest = select(JOBS.c.project, JOBS.c.turn).where(JOBS.c.turn > newest - _LONGEST_TURN)
    latest_first = latest.order_by(JOBS.c.turn.desc()).limit(_MOST_TURNS).subquery()
    turns_of = select(latest_first.c.project, func.max(latest_first.c.turn).label("turn"))
    recent = turns_of.group_by(latest_first.c.project).subquery()
    return (
        select(
            queues.c.capability,
            queues.c.project,
            _first(queues, JOBS.c.priority).label("priority"),
            _first(queues, JOBS.c.queued_at).label("since"),
            running.c.here.label("running"),
            running.c.in_all.label("running_in_all"),
            recent.c.turn.label("last_turn"),
            ProjectRow.weight,
            ProjectRow.max_running,
            newest.label("newest"),
        )
        .select_from(queues)
        .outerjoin(running, running.c.project == queues.c.project)
        .outerjoin(recent, recent.c.project == queues.c.project)
        .outerjoin(ProjectRow, ProjectRow.name == queues.c.project)
        .where(queues.c.project > "")
    )


def _queues(capabilities: tuple[str, ...]) -> Any:
    """(capability, project) of each queue: from one project the index leads to the next, past all of its jobs."""
    words = union_all(*(select(literal(word).label("capability")) for word in capabilities)).subquery()
    found = select(words.c.capability, literal("").label("project")).cte("queues", recursive=True)
    following = (
        select(JOBS.c.project)
        .where(QUEUED, JOBS.c.capability == found.c.capability, JOBS.c.project > found.c.project)
        .order_by(JOBS.c.project)
        .limit(1)
        .correlate(found)
        .scalar_subquery()
    )
    return found.union_all(select(found.c.capability, following).where(found.c.project.is_not(None)))


def _first(queues: Any, column: Any) -> ScalarSelect[Any]:
    """A column of the first job of a queue. Not by its id: PostgreSQL would look for that in the whole table."""
    mine = JOBS.c.capability == queues.c.capability, JOBS.c.project == queues.c.project
    return select(column).where(QUEUED, *mine).order_by(*order()).limit(1).correlate(queues).scalar_subquery()
