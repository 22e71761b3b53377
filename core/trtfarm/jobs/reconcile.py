"""Putting right what crashes and lost messages left behind; run it every few seconds, anywhere, in any number."""

from __future__ import annotations

import math
from collections import Counter
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
    #: Ids of the queued jobs that somebody was told of.
    hinted: tuple[str, ...]


def publish(
    manager: JobManager, publisher: Publisher, jobs: Iterable[Queued], slots: Callable[[Need], int] | None = None
) -> tuple[str, ...]:
    """Tells the broker of jobs that are committed; returns those that this is done with.

    Whoever hears a message takes jobs until none is left: of those that need the same there are no more messages than
    their workers have `slots`, and none where nobody would do them. Stops at the first that the broker does not take.
    """
    told: list[str] = []
    heard: Counter[Need] = Counter()
    for job in jobs:
        most = math.inf if slots is None else slots(job.need)
        heard[job.need] += 1
        if heard[job.need] <= most and not publisher(job):
            break
        if most:
            told.append(job.id)
    if told:
        manager.hints.note(told)
    return tuple(told)


def reconcile(
    manager: JobManager,
    publisher: Publisher,
    *,
    slots: Callable[[Need], int],
    advance: Callable[[], object],
    hint_after_seconds: float = HINT_AFTER_SECONDS,
    expire: bool = True,
) -> Repairs:
    """One round: expired leases, then whatever `advance` finds undone (steps whose job has ended), then lost messages.

    In this order, so that what the first two queue is published in the same round. Without `expire` leases are left
    alone. `slots` are those of the workers that are ready. Nobody is told of jobs that none of these would do: such
    messages would pile up until a worker for them comes, which looks for jobs anyway.
    """
    expired = manager.expire() if expire else []
    advance()
    offered = [need for need in manager.hints.needs() if slots(need)]
    hinted = publish(manager, publisher, manager.hints.untold(hint_after_seconds, offered), slots)
    return Repairs(expired=tuple(expired), hinted=hinted)
