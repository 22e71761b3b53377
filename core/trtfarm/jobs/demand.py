"""What waits for what kind of worker: the figures by which a site adds workers and takes them away."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from trtfarm.database.clock import now
from trtfarm.database.session import Database
from trtfarm.jobs.queue import QUEUED
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState
from trtfarm.workers import list_workers


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Jobs that need one capability, and the slots of the workers that are ready and offer it.

    A worker that offers several capabilities counts in each of them.
    """

    capability: str
    queued: int
    running: int
    #: Seconds that the job which has waited longest has; 0 where none waits.
    oldest_wait: float
    slots: int


def demand(database: Database) -> list[Demand]:
    """By capability, all that are needed or offered now."""
    waiting = select(JOBS.c.capability, func.count(), func.min(JOBS.c.queued_at)).where(QUEUED)
    busy = select(JOBS.c.capability, func.count()).where(JOBS.c.state == JobState.RUNNING)
    with database.read() as session:
        moment = session.scalars(select(now())).one()
        queued = {word: (count, oldest) for word, count, oldest in session.execute(waiting.group_by(JOBS.c.capability))}
        running: dict[str, int] = dict(session.execute(busy.group_by(JOBS.c.capability)).all())
    slots: dict[str, int] = {}
    for worker in list_workers(database):
        for word in worker.capabilities if worker.ready else ():
            slots[word] = slots.get(word, 0) + worker.slots
    return [
        Demand(
            capability=word,
            queued=queued[word][0] if word in queued else 0,
            running=running.get(word, 0),
            oldest_wait=max((moment - queued[word][1]).total_seconds(), 0.0) if word in queued else 0.0,
            slots=slots.get(word, 0),
        )
        for word in sorted({*queued, *running, *slots})
    ]
