"""Putting right what crashes and lost messages left behind; run it every few seconds, anywhere, in any number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from trtfarm.jobs.hints import Queued
from trtfarm.jobs.job import Job
from trtfarm.jobs.manager import JobManager
from trtfarm.routing import Need

#: Seconds after which a queued job's message is taken for lost. Too early costs a message, too late costs waiting.
HINT_AFTER_SECONDS = 30.0


class Publisher(Protocol):
    """Tells the broker that a job is queued; a message is only a hint, so a lost or a second one does no harm."""

    def __call__(self, job: Queued) -> bool:
        """True if the broker took the message, False if it cannot be reached now."""


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """What one round put right."""

    #: Jobs taken from workers that vanished, as they are now: queued, cancelled or quarantined.
    expired: tuple[Job, ...]
    #: Ids of the queued jobs that the broker was told of.
    hinted: tuple[str, ...]


def publish(manager: JobManager, publisher: Publisher, jobs: Iterable[Queued]) -> tuple[str, ...]:
    """Tells the broker of jobs that are committed; stops at the first it does not take. Returns the ids it took."""
    told: list[str] = []
    for job in jobs:
        if not publisher(job):
            break
        told.append(job.id)
    if told:
        manager.hinted(told)
    return tuple(told)


def reconcile(
    manager: JobManager,
    publisher: Publisher,
    *,
    offered: Callable[[Need], bool],
    advance: Callable[[], object],
    hint_after_seconds: float = HINT_AFTER_SECONDS,
) -> Repairs:
    """One round: expired leases, then whatever `advance` finds undone (steps whose job has ended), then lost messages.

    In this order, so that what the first two queue is published in the same round. Nobody is told of jobs whose need is
    not `offered`: such messages would pile up until a worker for them comes, which looks for jobs anyway.
    """
    expired = manager.expire()
    advance()
    hinted = publish(manager, publisher, manager.unhinted(hint_after_seconds, list(filter(offered, manager.needs()))))
    return Repairs(expired=tuple(expired), hinted=hinted)
