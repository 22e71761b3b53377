"""What waits for what kind of worker: the figures by which a site adds workers and takes them away."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import func, select

from trtfarm.database.clock import now
from trtfarm.database.session import Database
from trtfarm.jobs.queue import QUEUED
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState
from trtfarm.routing import Need
from trtfarm.workers import ready_workers, slots_for


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Jobs that need the same of their worker, and the slots of the workers that are ready and may do them.

    A worker that may do jobs of several kinds counts in each of them.
    """

    capability: str
    #: What they require besides.
    labels: tuple[str, ...]
    gpu_memory_gib: int
    queued: int
    running: int
    #: Seconds that the job which has waited longest has; 0 where none waits.
    oldest_wait: float
    slots: int


def demand(database: Database) -> list[Demand]:
    """By what is needed, all that is needed or offered now."""
    kind = JOBS.c.capability, JOBS.c.requires
    waiting = select(*kind, func.count(), func.min(JOBS.c.queued_at)).where(QUEUED).group_by(*kind)
    busy = select(*kind, func.count()).where(JOBS.c.state == JobState.RUNNING).group_by(*kind)
    with database.read() as session:
        moment = session.scalars(select(now())).one()
        queued = {Need(*need): (count, oldest) for *need, count, oldest in session.execute(waiting)}
        running = {Need(*need): count for *need, count in session.execute(busy)}
    ready = ready_workers(database)
    offered = {Need(word) for worker in ready for word in worker.capabilities}
    return [
        Demand(
            capability=need.capability,
            **asdict(need.requires),
            queued=queued[need][0] if need in queued else 0,
            running=running.get(need, 0),
            oldest_wait=max((moment - queued[need][1]).total_seconds(), 0.0) if need in queued else 0.0,
            slots=slots_for(need, ready),
        )
        for need in sorted({*queued, *running, *offered}, key=lambda need: (need.capability, need.requires.word))
    ]
