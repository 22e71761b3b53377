"""What waits for a free worker and who is next, as SQL; the manager's tools, nobody else's.

In the index `ix_jobs_queued` each project has a queue for each capability and kind of requirements, whose first job is
found by one look. So the cost grows with the number of kinds, and of projects that have jobs waiting which the worker
may do, and not with that of their jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    String,
    Table,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from trtfarm.database.clock import now
from trtfarm.database.columns import Requires
from trtfarm.database.work import QUEUED_JOBS, RUNNING_JOBS, ProjectRow, WorkerRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.sharing import Queue, Share, Turn, turns
from trtfarm.requirements import MEMORY_DIGITS, marked, memory_word
from trtfarm.routing import Need, Station
from trtfarm.workers import WorkerState

#: The very words of the indexes: with the state as a parameter no database could tell that it may use a partial one.
QUEUED, RUNNING = QUEUED_JOBS, RUNNING_JOBS
#: The table, not the mapped class: reading rows the session's own way takes half a millisecond of a claim.
_PROJECTS = cast(Table, ProjectRow.__table__)
#: A worker asks the same again and again, and putting a statement together takes as long as the database does with it.
_STATEMENTS = 256
#: A weight is 1 or more, so that a turn that is older than the newest one by this says nothing about the next.
_LONGEST_TURN = 1.0
#: Waiting jobs, of which a worker takes some tens at once at most.
_ENOUGH = 1_000
#: Written out: where it is a parameter PostgreSQL plans for any limit, and a claim among 1,000 took half as long again.
_ONE: ColumnElement[int] = literal_column("1", Integer)
#: Within a turn of weight 1 each project takes as many as its weight, and one more.
_MOST_TURNS = 1_000


def order(columns: Any = JOBS.c) -> Iterable[ColumnElement[Any]]:
    """Highest priority first, then the one that has waited longest."""
    return columns.priority.desc(), columns.queued_at, columns.id


def next_turns(
    session: Session, capabilities: Collection[str], offered: Collection[str], station: Station
) -> list[Turn]:
    """The queues for these capabilities that may be done there, in the order in which such a worker asks them.

    `offered` are all its capabilities.
    """
    found = session.execute(_facts(tuple(sorted(set(capabilities))), tuple(sorted(set(offered))), station)).all()
    queues = [
        Queue(
            need=Need(row.capability, row.requires),
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
def head(need: Need, project: str) -> Select[tuple[str]]:
    """The id of the job that the next worker which may do it does for a project."""
    return select(JOBS.c.id).where(QUEUED, *_of(need, project)).order_by(*order()).limit(_ONE)


def needs(session: Session) -> list[Need]:
    """All that is needed by queued jobs, each once."""
    everything = select(literal("").label("capability")).cte("capabilities", recursive=True)
    words = everything.union_all(
        select(_following(everything, JOBS.c.capability)).where(everything.c.capability.is_not(None))
    )
    kinds = _kinds(select(words.c.capability).where(words.c.capability > "").subquery())
    found = select(kinds.c.capability, type_coerce(kinds.c.requires, Requires)).where(kinds.c.requires > "")
    return [Need(*row) for row in session.execute(found)]


def heads(need: Need, project: str, most: int) -> Select[tuple[str]]:
    """The ids of the jobs that come next, of those that no worker has tried yet."""
    untried = select(JOBS.c.id).where(QUEUED, *_of(need, project), JOBS.c.attempt == 0)
    return untried.order_by(*order()).limit(most)


def for_each_worker(session: Session, capability: str) -> int:
    """How many of the jobs that wait for a capability there are for each worker; no more than it takes to know."""
    ready = WorkerRow.state == WorkerState.READY.value, WorkerRow.lease_until > now()
    workers = select(func.count()).select_from(WorkerRow).where(*ready).scalar_subquery()
    some = select(JOBS.c.id).where(QUEUED, JOBS.c.capability == capability).limit(_ENOUGH).subquery()
    waiting, among = session.execute(select(func.count(), workers).select_from(some)).one()
    return int(waiting // max(among, 1))


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
    counted = select(func.count()).select_from(JOBS).where(QUEUED, *_of(job.need, project), sooner)
    return session.scalar(counted) or 0


def _of(need: Need, project: str) -> tuple[ColumnElement[bool], ...]:
    return JOBS.c.capability == need.capability, JOBS.c.requires == need.requires, JOBS.c.project == project


@lru_cache(maxsize=_STATEMENTS)
def _facts(capabilities: tuple[str, ...], offered: tuple[str, ...], station: Station) -> Select[Any]:
    """Of each queue for one of the capabilities that may be done there, what `Queue` says, and the newest turn."""
    queues = _queues(capabilities, station)
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
            type_coerce(queues.c.requires, Requires).label("requires"),
            queues.c.project,
            _first(queues, JOBS.c.priority).label("priority"),
            _first(queues, JOBS.c.queued_at).label("since"),
            running.c.here.label("running"),
            running.c.in_all.label("running_in_all"),
            recent.c.turn.label("last_turn"),
            _PROJECTS.c.weight,
            _PROJECTS.c.max_running,
            newest.label("newest"),
        )
        .select_from(queues)
        .outerjoin(running, running.c.project == queues.c.project)
        .outerjoin(recent, recent.c.project == queues.c.project)
        .outerjoin(_PROJECTS, _PROJECTS.c.name == queues.c.project)
        .where(queues.c.project > "")
    )


def _queues(capabilities: tuple[str, ...], station: Station) -> Any:
    """(capability, requires, project) of each queue that may be done at a station."""
    words = (_offer(word, memory_word(station.memory(word))) for word in capabilities)
    kinds = _kinds(union_all(*words).subquery(), "memory")
    fitting = select(kinds.c.capability, kinds.c.requires, literal("").label("project")).where(_fits(kinds, station))
    found = fitting.cte("queues", recursive=True)
    following = _following(found, JOBS.c.project, "capability", "requires")
    return found.union_all(select(found.c.capability, found.c.requires, following).where(found.c.project.is_not(None)))


def _offer(capability: str, memory: str) -> Select[str, str]:
    return select(literal(capability).label("capability"), literal(memory).label("memory"))


def _kinds(words: Any, *more: str) -> Any:
    """(capability, requires) of each kind of queued jobs that need one of the words, and `more` columns of these."""
    kept = "capability", *more
    found = select(*(words.c[name] for name in kept), literal("").label("requires")).cte("kinds", recursive=True)
    following = _following(found, JOBS.c.requires, "capability")
    return found.union_all(select(*(found.c[name] for name in kept), following).where(found.c.requires.is_not(None)))


def _following(found: Any, column: Any, *same: str) -> ScalarSelect[Any]:
    """The next value of a column, past all jobs that have this one: the index leads there."""
    alike = [JOBS.c[name] == found.c[name] for name in same]
    further = select(type_coerce(column, String)).where(QUEUED, *alike, column > found.c[column.name])
    return further.order_by(column).limit(_ONE).correlate(found).scalar_subquery()


def _fits(kinds: Any, station: Station) -> ColumnElement[bool]:
    """`routing.fits`, of kinds that need what is offered: of the labels none is left when those here are taken out."""
    left: ColumnElement[str] = func.substr(kinds.c.requires, MEMORY_DIGITS + 1)
    for label in sorted(station.labels):
        left = func.replace(left, marked(label), "")
    memory = func.substr(kinds.c.requires, 1, MEMORY_DIGITS)
    return and_(kinds.c.requires > "", memory <= kinds.c.memory, left == "")


def _first(queues: Any, column: Any) -> ScalarSelect[Any]:
    """A column of the first job of a queue. Not by its id: PostgreSQL would look for that in the whole table."""
    mine = [JOBS.c[name] == queues.c[name] for name in ("capability", "requires", "project")]
    return select(column).where(QUEUED, *mine).order_by(*order()).limit(_ONE).correlate(queues).scalar_subquery()
