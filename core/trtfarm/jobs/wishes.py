"""Wishes for jobs: a new job where no live one has the key, else a share in that one; the manager's tool."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from trtfarm import routing
from trtfarm.database.insert import conflict_insert_in
from trtfarm.database.work import LIVE_JOBS, JobRow
from trtfarm.ids import new_id
from trtfarm.jobs import queue, rows
from trtfarm.jobs.history import STATE_CHANGED, add_all
from trtfarm.jobs.job import Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState
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


def submit_all(session: Session, wishes: Iterable[Wish], *, max_attempts: int) -> dict[str, tuple[Job, bool]]:
    """The jobs of wishes with different keys, and whether they were made now, by key; see `JobManager.submit`."""
    wanted = {wish.key: wish for wish in wishes}
    jobs = {job.key: (job, False) for job in _quarantined(session, wanted)}
    # In the order of their keys, new or not: two that want the same ones wait for each other in that order.
    proposed = [_proposed(wish, max_attempts) for key, wish in sorted(wanted.items()) if key not in jobs]
    ids = {row["id"] for row in proposed}
    live = _inserted_or_locked(session, proposed) if proposed else []
    made = [job for job in live if job.id in ids]
    add_all(session, [(job.id, job.attempt, [(STATE_CHANGED, {"to": job.state})]) for job in made])
    jobs |= {job.key: (job, True) for job in made}
    return jobs | {job.key: (_joined(session, job, wanted[job.key]), False) for job in live if job.id not in ids}


def _inserted_or_locked(session: Session, proposed: list[dict[str, Any]]) -> list[Job]:
    """For each row it, or the live job that has its key; waits for a writer that is about to commit one."""
    locking = _locking(session.get_bind().dialect.name)
    return [Job(**row) for row in session.execute(locking, proposed).mappings()]


@cache
def _locking(dialect: str) -> ReturningInsert[Any]:
    insert = conflict_insert_in(dialect, JobRow)
    unchanged = {"kind": insert.excluded.kind}
    locking = insert.on_conflict_do_update(index_elements=["key"], index_where=LIVE_JOBS, set_=unchanged)
    return locking.returning(JOBS)


def _quarantined(session: Session, keys: Collection[str]) -> list[Job]:
    """The jobs of these keys that are quarantined and were not followed by another one."""
    found = session.execute(_left_in_quarantine(), {"keys": list(keys)}) if keys else None
    return [Job(**row) for row in found.mappings()] if found else []


@cache
def _left_in_quarantine() -> Select[Any]:
    """Put together once: an alias of the table takes longer to make than the database takes to answer."""
    newer = JOBS.alias()
    later = tuple_(newer.c.created, newer.c.id) > tuple_(JOBS.c.created, JOBS.c.id)
    followed = select(newer.c.id).where(newer.c.key == JOBS.c.key, later).exists()
    of_keys = JOBS.c.key.in_(bindparam("keys", expanding=True))
    return select(JOBS).where(of_keys, JOBS.c.state == JobState.QUARANTINED, ~followed)


def _proposed(wish: Wish, max_attempts: int) -> dict[str, Any]:
    """The row of a job that is new, if no live one has its key."""
    return {
        "id": new_id("job"),
        "kind": wish.kind,
        "key": wish.key,
        "request": wish.request,
        "priority": wish.priority,
        "project": wish.project,
        "requires": wish.requires,
        "capability": routing.needed(wish.request),
        "state": JobState.QUEUED,
        "attempt": 0,
        "max_attempts": max_attempts,
        "cancel_requested": False,
    }


def _joined(session: Session, job: Job, wish: Wish) -> Job:
    """A live job, locked, that is wanted once more."""
    priority = max(wish.priority, job.priority)
    wanted = {
        "priority": priority,
        "cancel_requested": False,
        "requires": agreed(session, job, wish.requires),
        "project": _soonest(session, job, priority, wish.project),
    }
    if all(getattr(job, name) == value for name, value in wanted.items()):
        return job
    return rows.change(session, job, "wanted again", **wanted)


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
