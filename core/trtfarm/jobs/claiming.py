"""Claiming: a queued job, or several, become a worker's; the manager's tools, nobody else's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from trtfarm.database.clock import from_now, now
from trtfarm.jobs import queue
from trtfarm.jobs.history import STATE_CHANGED, add_all
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.sharing import Turn, several
from trtfarm.jobs.state import JobState
from trtfarm.routing import Station


class Claims:
    """Makes claims that last so many seconds unless they are renewed."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds

    def one(self, session: Session, which: ColumnElement[bool], owner: str, **values: Any) -> Claim | None:
        """The claim of the job of this condition; None if it is not queued."""
        claims = self._claim(session, which, owner, started=now(), **values)
        return claims[0] if claims else None

    def next(
        self,
        session: Session,
        owner: str,
        capability: str,
        offered: Collection[str],
        station: Station,
        *,
        most: int,
        anyway: int = 1,
    ) -> list[Claim]:
        """The claim of the job whose turn it is, and of up to `most` - 1 that come next and were never tried.

        Beyond `anyway` in all, only as many as there are for each worker.
        """
        found = queue.next_turns(session, [capability], {capability, *offered}, station)
        first = next(filter(None, (self._head(session, turn, owner) for turn in found)), None)
        if first is None:
            return []
        more = min(most, anyway) - 1
        if anyway < most:
            more = max(more, min(most - 1, queue.for_each_worker(session, capability)))
        if more < 1:
            return [first]
        left = queue.next_turns(session, [capability], {capability, *offered}, station)
        return [
            first,
            *(claim for turns in _by_project(several(left, more)) for claim in self._heads(session, turns, owner)),
        ]

    def _head(self, session: Session, turn: Turn, owner: str) -> Claim | None:
        """The claim of a queue's first job; None where it has none left, or its project as many as it may."""
        project = turn.queue.project
        if turn.queue.share.max_running is not None and not queue.has_room(session, project):
            return None
        first = queue.head(turn.queue.need, project).with_for_update(skip_locked=True).scalar_subquery()
        return self.one(session, JOBS.c.id == first, owner, turn=turn.begins)

    def _heads(self, session: Session, turns: Sequence[Turn], owner: str) -> list[Claim]:
        """The claims of as many jobs of a project as it has turns; all of them bear the last turn, which counts."""
        queued = turns[0].queue
        heads = queue.heads(queued.need, queued.project, len(turns)).with_for_update(skip_locked=True).cte("heads")
        which = JOBS.c.id.in_(select(heads.c.id))
        return self._claim(session, which, owner, started=None, turn=turns[-1].begins)

    def _claim(self, session: Session, which: ColumnElement[bool], owner: str, **values: Any) -> list[Claim]:
        statement = (
            update(JOBS)
            .where(which, JOBS.c.state == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                owner=owner,
                attempt=JOBS.c.attempt + 1,
                lease_until=from_now(self._lease_seconds),
                **values,
            )
        )
        jobs = [Job(**row) for row in session.execute(statement.returning(JOBS)).mappings()]
        jobs.sort(key=lambda job: (-job.priority, job.queued_at, job.id))
        change = {"from": JobState.QUEUED, "to": JobState.RUNNING, "owner": owner}
        add_all(session, [(job.id, job.attempt, [(STATE_CHANGED, change)]) for job in jobs])
        return [Claim(job=job, owner=owner, attempt=job.attempt) for job in jobs]


def _by_project(turns: Iterable[Turn]) -> list[list[Turn]]:
    found: dict[str, list[Turn]] = {}
    for turn in turns:
        found.setdefault(turn.queue.project, []).append(turn)
    return list(found.values())
