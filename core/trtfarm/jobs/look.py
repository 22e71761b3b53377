"""What a free worker finds to do, as SQL; the manager's tools, nobody else's.

In the index `ix_jobs_queued` each project has a queue for each capability and kind of requirements, whose first job is
found by one look. So the cost grows with the number of kinds, and of projects that have jobs waiting which the worker
may do, and not with that of their jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    String,
    Table,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from trtfarm.database.columns import Requires
from trtfarm.database.kept import Kept
from trtfarm.database.work import ProjectRow
from trtfarm.jobs.queue import ONE, QUEUED, RUNNING, order, turns_where
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.sharing import Queue, Share, Turn, turns
from trtfarm.requirements import MEMORY_DIGITS, marked, memory_word
from trtfarm.routing import Need, Opening, Station, fits

_PROJECTS = cast(Table, ProjectRow.__table__)
#: A worker asks the same again and again, and putting a statement together takes as long as the database does with it.
_STATEMENTS = 256
#: A weight is 1 or more, so that a turn that is older than the newest one by this says nothing about the next.
_LONGEST_TURN = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a worker found, in the order in which it asks for it."""

    turns: tuple[Turn, ...]

    @property
    def openings(self) -> list[Opening]:
        """What there is to do, each once."""
        return list(dict.fromkeys(turn.queue.need.opening for turn in self.turns))

    def at(self, capability: str, station: Station) -> Look:
        """That of it which needs a capability and may be done at a station."""
        found = (turn for turn in self.turns if fits(turn.queue.need, [capability], station))
        return Look(turns=tuple(found))


def look(session: Session, capabilities: Collection[str], offered: Collection[str], station: Station) -> Look:
    """What is found at a station that needs one of these capabilities; `offered` are all that the worker has."""
    found = _facts(tuple(sorted(set(capabilities))), tuple(sorted(set(offered))), station)(session)
    newest = found[0].newest if found else None
    queues = [
        Queue(
            need=Need(row.capability, row.requires),
            project=row.project,
            priority=row.priority,
            since=row.queued_at,
            running=row.running or 0,
            running_in_all=row.running_in_all or 0,
            last_turn=row.last_turn,
            share=Share() if row.weight is None else Share(weight=row.weight, max_running=row.max_running),
        )
        for row in found
    ]
    return Look(turns=tuple(turns(queues, newest or 0.0)))


def needs(session: Session) -> list[Need]:
    """All that is needed by queued jobs, each once."""
    return [Need(*row) for row in _NEEDS(session)]


def _needs(dialect: str) -> list[Any]:
    start = select(literal("").label("capability")).cte("capabilities", recursive=True)
    words = _walk(dialect, start, (), JOBS.c.capability)
    kinds = _kinds(dialect, select(words.c.capability).where(words.c.capability > "").subquery())
    return [
        select(kinds.c.capability, type_coerce(kinds.c.requires, Requires).label("requires")).where(
            kinds.c.requires > ""
        )
    ]


@lru_cache(maxsize=_STATEMENTS)
def _facts(capabilities: tuple[str, ...], offered: tuple[str, ...], station: Station) -> Kept:
    """Of each queue for one of the capabilities that may be done there, what `Queue` says, and the newest turn."""
    return Kept(lambda dialect: [_found(_queues(dialect, capabilities, station), offered)])


def _found(queues: CTE, offered: tuple[str, ...]) -> Select[Any]:
    here = case((or_(*(JOBS.c.capability == word for word in offered)), 1), else_=0)
    counted = select(JOBS.c.project, func.count().label("in_all"), func.sum(here).label("here")).where(RUNNING)
    # Here and below, the order is that of an index, so that PostgreSQL reads that one.
    running = counted.group_by(JOBS.c.project).order_by(JOBS.c.project).subquery()
    newest = turns_where(JOBS.c.turn.is_not(None)).with_only_columns(JOBS.c.turn).limit(ONE).scalar_subquery()
    latest = turns_where(JOBS.c.turn > newest - _LONGEST_TURN).subquery()
    recent = select(latest.c.project, func.max(latest.c.turn).label("turn")).group_by(latest.c.project).subquery()
    return (
        select(
            queues.c.capability,
            type_coerce(queues.c.requires, Requires).label("requires"),
            queues.c.project,
            queues.c.priority,
            queues.c.queued_at,
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


def _queues(dialect: str, capabilities: tuple[str, ...], station: Station) -> CTE:
    """The first job of each queue that may be done at a station."""
    offers = (_offer(word, memory_word(station.memory(word))) for word in capabilities)
    kinds = _kinds(dialect, union_all(*offers).subquery(), "memory")
    first = JOBS.c.priority, JOBS.c.queued_at
    empty = (sql_cast(null(), column.type).label(column.name) for column in first)
    start = select(kinds.c.capability, kinds.c.requires, literal("").label("project"), *empty)
    found = start.where(_fits(kinds, station)).cte("queues", recursive=True)
    return _walk(dialect, found, ("capability", "requires"), JOBS.c.project, *first)


def _offer(capability: str, memory: str) -> Select[str, str]:
    return select(literal(capability).label("capability"), literal(memory).label("memory"))


def _kinds(dialect: str, words: FromClause, *more: str) -> CTE:
    """(capability, `more`, requires) of each kind of queued jobs that need one of the words."""
    start = select(words.c.capability, *(words.c[name] for name in more), literal("").label("requires"))
    found = start.cte("kinds", recursive=True)
    return _walk(dialect, found, ("capability",), JOBS.c.requires)


def _walk(
    dialect: str,
    found: CTE,
    same: Sequence[str],
    column: ColumnElement[Any],
    *more: ColumnElement[Any],
) -> CTE:
    """From each row of a beginning on, the first queued job of each next value of a column.

    The index leads there, past all jobs that have the same value. Such a job has the columns `same` of the beginning;
    its `column` and `more` are told.
    """
    alike = [JOBS.c[name] == found.c[name] for name in same]
    further = JOBS.c[column.name] > found.c[column.name]
    following = select(type_coerce(column, String).label(column.name), *more).where(QUEUED, *alike, further)
    following = following.order_by(column, *(order() if more else ())).limit(ONE)
    if dialect == "sqlite":  # knows no LATERAL, and looks the job up by its id
        job_id = following.with_only_columns(JOBS.c.id).correlate(found).scalar_subquery()
        first: FromClause = JOBS.alias("following")
        joined = found.join(first, first.c.id == job_id)
    else:
        first = following.lateral("following")
        joined = found.join(first, true())
    told = {one.name: type_coerce(first.c[one.name], found.c[one.name].type) for one in (column, *more)}
    return found.union_all(select(*(told.get(one.name, one) for one in found.c)).select_from(joined))


def _fits(kinds: CTE, station: Station) -> ColumnElement[bool]:
    """`routing.fits`, of kinds that need what is offered: of the labels none is left when those here are taken out."""
    left: ColumnElement[str] = func.substr(kinds.c.requires, MEMORY_DIGITS + 1)
    for label in sorted(station.labels):
        left = func.replace(left, marked(label), "")
    memory = func.substr(kinds.c.requires, 1, MEMORY_DIGITS)
    return and_(kinds.c.requires > "", memory <= kinds.c.memory, left == "")


_NEEDS = Kept(_needs)
