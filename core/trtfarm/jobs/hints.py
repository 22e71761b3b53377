"""Queued jobs as far as messages are concerned: of which the broker was told, and when."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select, update

from trtfarm.database.clock import from_now, now
from trtfarm.database.kept import Kept
from trtfarm.database.many import among
from trtfarm.database.session import Database
from trtfarm.jobs import look, queue
from trtfarm.jobs.rows import JOBS
from trtfarm.routing import Need

#: Jobs of which the broker is told in one go.
_TOLD_AT_ONCE = 100


class Queued(NamedTuple):
    """A queued job."""

    id: str
    need: Need


class Hints:
    """What the broker is to be told. It may be told twice, or of jobs that have ended: a message only wakes workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def needs(self) -> list[Need]:
        """All that queued jobs need, each once."""
        with self._database.steady_read() as session:
            return look.needs(session)

    def queued(self, job_ids: Collection[str]) -> list[Queued]:
        """Those of these jobs that wait, in the order in which workers take them."""
        with self._database.steady_read() as session:
            return [_queued(row) for row in _OF_THESE(session, jobs=list(job_ids))]

    def untold(self, seconds: float, needs: Collection[Need]) -> list[Queued]:
        """Jobs that need one of these and of which nobody was told for so many seconds, the most urgent ones first."""
        if not needs:
            return []
        alike = [and_(JOBS.c.capability == need.capability, JOBS.c.requires == need.requires) for need in needs]
        long_ago = or_(JOBS.c.hinted_at.is_(None), JOBS.c.hinted_at < from_now(-seconds))
        waiting = _SELECTED.where(queue.QUEUED, or_(*alike), long_ago).order_by(*queue.order()).limit(_TOLD_AT_ONCE)
        with self._database.read() as session:
            return [_queued(row) for row in session.execute(waiting)]

    def note(self, job_ids: Collection[str]) -> None:
        """Notes that the broker has been told of jobs, as far as they still wait.

        Of those that somebody changes at this moment, and so has found, it is not noted.
        """
        with self._database.steady_write() as session:
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
