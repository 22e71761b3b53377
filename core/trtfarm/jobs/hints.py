"""Queued jobs as far as messages are concerned: of which the broker was told, and when; the manager's tool."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from trtfarm.database.clock import from_now, now
from trtfarm.database.kept import Kept
from trtfarm.database.many import among
from trtfarm.jobs import queue
from trtfarm.jobs.rows import JOBS
from trtfarm.routing import Need

#: Jobs of which the broker is told in one go.
_TOLD_AT_ONCE = 100


class Queued(NamedTuple):
    """A queued job."""

    id: str
    need: Need


def of_these(session: Session, job_ids: Collection[str]) -> list[Queued]:
    """Those of some jobs that are queued now, in the order in which workers take them."""
    return [_queued(row) for row in _OF_THESE(session, jobs=list(job_ids))]


def untold(session: Session, seconds: float, needs: Collection[Need]) -> list[Queued]:
    """Jobs that need one of these and of which nobody was told for so many seconds, the most urgent ones first."""
    alike = [and_(JOBS.c.capability == need.capability, JOBS.c.requires == need.requires) for need in needs]
    waiting = _SELECTED.where(queue.QUEUED, or_(*alike)).where(
        or_(JOBS.c.hinted_at.is_(None), JOBS.c.hinted_at < from_now(-seconds))
    )
    return [_queued(row) for row in session.execute(waiting.order_by(*queue.order()).limit(_TOLD_AT_ONCE))]


def note(session: Session, job_ids: Collection[str]) -> None:
    """Notes that the broker has been told of jobs; of those that are changed just now, and so were found, it is not."""
    _NOTE(session, jobs=list(job_ids))


def _queued(row: Any) -> Queued:
    return Queued(row.id, Need(row.capability, row.requires))


def _noting(dialect: str) -> list[Any]:
    waiting = select(JOBS.c.id).where(among(dialect, JOBS.c.id, "jobs"), queue.QUEUED)
    # Whoever waited here for jobs in an order of its own could wait for somebody who waits for it.
    free = waiting.with_for_update(skip_locked=True)
    return [update(JOBS).where(JOBS.c.id.in_(free)).values(hinted_at=now())]


_SELECTED = select(JOBS.c.id, JOBS.c.capability, JOBS.c.requires)
_OF_THESE = Kept(
    lambda dialect: [_SELECTED.where(among(dialect, JOBS.c.id, "jobs"), queue.QUEUED).order_by(*queue.order())]
)
_NOTE = Kept(_noting)
