"""Wishes for jobs: a new job where no live one has the key, else a share in that one; the manager's tool."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, literal, or_, select, tuple_
from sqlalchemy import insert as sql_insert
from sqlalchemy.orm import Session

from trtfarm import routing
from trtfarm.database.columns import Json
from trtfarm.database.insert import conflict_insert_in
from trtfarm.database.kept import Kept
from trtfarm.database.many import as_parameter, json_text, many
from trtfarm.database.work import LIVE_JOBS, JobRow
from trtfarm.ids import new_id
from trtfarm.jobs import queue, rows
from trtfarm.jobs.history import EVENTS, STATE_CHANGED, add_all
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import LIVE, JobState
from trtfarm.requirements import ANYWHERE, Requirements
from trtfarm.routing import Need
from trtfarm.workers import known_workers


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A job that somebody wants done."""

    kind: str
    key: str
    request: dict[str, Any]
    priority: int = 0
    project: str = "default"
    requires: Requirements = ANYWHERE


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The job of a wish: made now, or a live one, or one that is quarantined, with the error that it ended with."""

    job_id: str
    made: bool = False
    #: Made although another one of its key was at work, or done, a moment before: the result may be there by now.
    overtaken: bool = False
    quarantined: bool = False
    error: dict[str, Any] | None = None


def submit_all(session: Session, wishes: Iterable[Wish], *, max_attempts: int) -> dict[str, Granted]:
    """The jobs of wishes with different keys, by key; see `JobManager.submit`."""
    wanted = {wish.key: wish for wish in wishes}
    if not wanted:
        return {}
    # In the order of their keys, new or not: two that want the same ones wait for each other in that order.
    ids = {key: new_id("job") for key in sorted(wanted)}
    proposed = as_parameter(_proposed(wanted[key], job_id, max_attempts) for key, job_id in ids.items())
    live = _INSERT_OR_LOCK(session, proposed=proposed)
    made = [row for row in live if row.id == ids[row.key]]
    if session.get_bind().dialect.name == "sqlite":
        add_all(session, [(row.id, 0, [(STATE_CHANGED, _MADE)]) for row in made])
    granted = {row.key: Granted(job_id=row.id, made=True, overtaken=bool(row.overtaken)) for row in made}
    for job in _others(session, wanted.keys() - granted.keys()):
        granted[job.key] = _shared(session, job, wanted[job.key])
    return granted


def _insert_or_lock(dialect: str) -> list[Any]:
    """For each row of `proposed` its key, and its id or that of the live job that has this key, which is locked.

    Waits for a writer that is about to commit one, or the end of one: then that job was live when the statement began,
    and a new one is `overtaken`. Keys whose last job is quarantined are left out.
    """
    given = select(many(dialect, "proposed", (JOBS.c[name] for name in _PROPOSED))).cte("given")
    constant = {"state": literal(JobState.QUEUED.value), "attempt": literal(0), "cancel_requested": false()}
    new = select(*given.c, *constant.values()).where(~_left_in_quarantine(given.c.key)).order_by(given.c.key)
    insert = conflict_insert_in(dialect, JobRow).from_select([*_PROPOSED, *constant], new)
    unchanged = {"kind": insert.excluded.kind}
    upsert = insert.on_conflict_do_update(index_elements=["key"], index_where=LIVE_JOBS, set_=unchanged)
    if dialect == "sqlite":  # whose writers wait for each other before they look
        return [upsert.returning(JOBS.c.id, JOBS.c.key, literal(value=False).label("overtaken"))]
    live = upsert.returning(JOBS.c.id, JOBS.c.key).cte("live")
    event = {"attempt": literal(0), "kind": literal(STATE_CHANGED), "data": literal(_MADE, Json)}
    made = select(live.c.id, *event.values()).join(given, given.c.id == live.c.id)
    told = sql_insert(EVENTS).from_select(["job_id", *event], made).cte("told")
    return [select(live.c.id, live.c.key, _at_work_or_done(live.c.key).label("overtaken")).add_cte(told)]


def _at_work_or_done(key: Any) -> ColumnElement[bool]:
    """Whether a job of a key is live or done, as far as the statement sees, which does not see what it writes."""
    other = JOBS.alias("other")
    states = or_(*(other.c.state == state for state in (*LIVE, JobState.DONE)))
    return select(other.c.id).where(other.c.key == key, states).exists()


def _left_in_quarantine(key: Any) -> ColumnElement[bool]:
    """Whether the job of a key is quarantined, and was not followed by another one."""
    last, newer = JOBS.alias("last"), JOBS.alias("newer")
    followed = select(newer.c.id).where(newer.c.key == last.c.key, _later(newer, last)).exists()
    return select(last.c.id).where(last.c.key == key, last.c.state == JobState.QUARANTINED, ~followed).exists()


def _later(one: Any, other: Any) -> ColumnElement[bool]:
    return tuple_(one.c.created, one.c.id) > tuple_(other.c.created, other.c.id)


def _others(session: Session, keys: Collection[str]) -> Iterable[Job]:
    """The jobs of keys that were not made now, locked: of each the live one, or the last one if that is quarantined."""
    if not keys:
        return []
    newer = JOBS.alias("newer")
    followed = select(newer.c.id).where(newer.c.key == JOBS.c.key, _later(newer, JOBS)).exists()
    wanted = select(JOBS).where(JOBS.c.key.in_(keys), or_(JOBS.c.state.in_(LIVE), ~followed))
    # By now the last one may be in any state; live ones come last, and stay.
    found = session.execute(wanted.order_by(JOBS.c.key, JOBS.c.state.in_(LIVE)).with_for_update())
    return {row["key"]: Job(**row) for row in found.mappings()}.values()


def _shared(session: Session, job: Job, wish: Wish) -> Granted:
    """A job that is there already, locked, and is wanted once more."""
    if job.state.live:
        _join(session, job, wish)
    return Granted(job_id=job.id, quarantined=job.state is JobState.QUARANTINED, error=job.error)


def _proposed(wish: Wish, job_id: str, max_attempts: int) -> dict[str, Any]:
    """The row of a job that is new, if no live one has its key."""
    return {
        "id": job_id,
        "kind": wish.kind,
        "key": wish.key,
        "request": json_text(wish.request),
        "priority": wish.priority,
        "project": wish.project,
        "requires": wish.requires.word,
        "capability": routing.needed(wish.request),
        "max_attempts": max_attempts,
    }


def _join(session: Session, job: Job, wish: Wish) -> None:
    priority = max(wish.priority, job.priority)
    wanted = {
        "priority": priority,
        "cancel_requested": False,
        "requires": agreed(session, job, wish.requires),
        "project": _soonest(session, job, priority, wish.project),
    }
    if any(getattr(job, name) != value for name, value in wanted.items()):
        rows.change(session, job, "wanted again", **wanted)


def _soonest(session: Session, job: Job, priority: int, project: str) -> str:
    """In whose queue a job waits that another project wants, too: where fewer jobs are before it."""
    if project == job.project or job.state is not JobState.QUEUED:
        return job.project
    here, there = (queue.before(session, job, name, priority) for name in (job.project, project))
    return project if there < here else job.project


def agreed(session: Session, job: Job, requires: Requirements) -> Requirements:
    """What a job requires that somebody else wants, too: both agree in it, or it is what somebody can meet."""
    both = job.requires.joined(requires)
    if both == requires:
        return both
    ready = [worker for worker in known_workers(session) if worker.ready]
    met = [wish for wish in (both, requires) if any(worker.does(Need(job.capability, wish)) for worker in ready)]
    return next(iter(met), both)


#: The columns of a job that its wish decides, and what its first event says.
_PROPOSED = ("id", "kind", "key", "request", "priority", "project", "requires", "capability", "max_attempts")
_MADE = {"to": JobState.QUEUED}
_INSERT_OR_LOCK = Kept(_insert_or_lock)
