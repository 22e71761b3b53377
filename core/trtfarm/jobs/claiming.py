"""Claiming: a queued job, or several, become a worker's; the manager's tools, nobody else's."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from trtfarm.database.kept import Kept
from trtfarm.jobs import queue, taking
from trtfarm.jobs.history import STATE_CHANGED, add_all
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.look import Look
from trtfarm.jobs.sharing import Turn, several
from trtfarm.jobs.state import JobState


class Claims:
    """Makes claims for one owner in a transaction; they last so many seconds unless they are renewed."""

    def __init__(self, session: Session, owner: str, lease_seconds: float) -> None:
        self._session = session
        self._owner = owner
        self._lease_seconds = lease_seconds

    def of_job(self, job_id: str) -> list[Claim]:
        """The claim of this very job; none if it is not queued."""
        return self._take(taking.ONE_JOB, job=job_id)

    def next(self, found: Look, *, most: int, anyway: int, fresh: bool) -> list[Claim]:
        """The claim of the job whose turn it is, and of up to `most` - 1 that come next and were never tried.

        Beyond `anyway` in all, only as many as there are for each worker.

        None where others took all that was found. Unless it was found in this transaction and is `fresh`, others had
        the time to take one of the project whose turn it was: then none either, as it may be another's turn now.
        """
        for turn in found.turns if fresh else found.turns[:1]:
            if claims := self._first(turn, unserved=not fresh):
                more = min(most, anyway) - 1
                if anyway < most:
                    waiting = queue.for_each_worker(self._session, turn.queue.need.capability)
                    more = max(more, min(most - 1, waiting))
                return claims + self._more(found, turn, more)
        return []

    def _first(self, turn: Turn, *, unserved: bool) -> list[Claim]:
        """The claim of a queue's first job; none where it has none left, or its project as many as it may."""
        one = turn.queue
        if one.share.max_running is not None and not queue.has_room(self._session, one.project):
            return []
        which = {"need": one.need.capability, "requiring": one.need.requires, "whose": one.project, "at": turn.begins}
        return self._take(taking.FIRST_IF_UNSERVED if unserved else taking.FIRST, **which)

    def _more(self, found: Look, first: Turn, most: int) -> list[Claim]:
        """The claims of jobs that come after the first one; those of a project bear the last turn, which counts."""
        turns: dict[str, list[Turn]] = {}
        for turn in several(found.turns, most, after=first):
            turns.setdefault(turn.queue.project, []).append(turn)
        if not turns:
            return []
        which = {
            f"{name}{number}": value
            for number, (project, its) in enumerate(turns.items())
            for name, value in (
                ("requiring", its[0].queue.need.requires),
                ("whose", project),
                ("most", len(its)),
                ("at", its[-1].begins),
            )
        }
        return self._take(taking.firsts(len(turns)), need=first.queue.need.capability, **which)

    def _take(self, statement: Kept, **values: Any) -> list[Claim]:
        change = {"from": JobState.QUEUED, "to": JobState.RUNNING, "owner": self._owner}
        taken = statement(self._session, by=self._owner, lease=self._lease_seconds, change=change, **values)
        jobs = [Job(**row._asdict()) for row in taken]
        if self._session.get_bind().dialect.name == "sqlite":
            add_all(self._session, [(job.id, job.attempt, [(STATE_CHANGED, change)]) for job in jobs])
        jobs.sort(key=lambda job: (-job.priority, job.queued_at, job.id))
        return [Claim(job=job, owner=self._owner, attempt=job.attempt) for job in jobs]
