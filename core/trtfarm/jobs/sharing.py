"""Whose turn it is when a worker is free, decided from plain facts.

A worker goes to the project that runs the fewest jobs for its weight. Of projects that are equal in this, as all are
where one worker does one job at a time, it goes to the one whose turn is first: a turn begins where the project's last
one ended, which is 1 / weight later than it began, and never before the newest turn that was taken. So a project that
was away comes next and not several times in a row, and one that is given a worker out of its turn waits the longer for
its next. (This is start-time fair queueing, Goyal, Vin and Cheng 1996, of jobs of equal cost, below the balance of
what runs: jobs take minutes or hours, are not interrupted, and nobody knows beforehand how long.)

A project that runs nothing is passed over at most 1 + w times by each other one, where w is that one's weight by its
own, rounded up; how many jobs the others have queued does not matter. Priorities order the jobs of one project: among
projects they would be everybody's way out of the sharing, so there they decide only where all else is equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from trtfarm.routing import Need


@dataclass(frozen=True, kw_only=True)
class Share:
    """How a project shares in the workers."""

    weight: int = 1
    #: How many jobs they do for it at once; None for any number.
    max_running: int | None = None


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The jobs of a project that need the same of their worker, one or more."""

    need: Need
    project: str
    #: Of the one that comes next, its priority and since when it waits.
    priority: int
    since: datetime
    #: Jobs that the project runs, of all that the free worker could do.
    running: int
    #: Jobs that the project runs anywhere.
    running_in_all: int
    #: The newest turn that it has taken; None where that is so long ago that it does not matter.
    last_turn: float | None
    share: Share

    @property
    def full(self) -> bool:
        return self.share.max_running is not None and self.running_in_all >= self.share.max_running

    def turn(self, newest: float) -> float:
        """When the project's next turn begins."""
        return newest if self.last_turn is None else max(newest, self.last_turn + 1 / self.share.weight)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A queue that a free worker may take the first job of; `begins` is to be noted with that job."""

    queue: Queue
    begins: float


def turns(queues: Iterable[Queue], newest: float) -> list[Turn]:
    """The queues in the order in which a free worker asks them; `newest` is the newest turn that anybody has taken."""
    found = [Turn(queue=queue, begins=queue.turn(newest)) for queue in queues if not queue.full]
    return sorted(found, key=_place)


def several(found: Iterable[Turn], most: int, *, after: Turn) -> list[Turn]:
    """The turns of a worker that takes up to so many jobs more, after its first: as it would be given them in a row.

    Of each project only the queue whose turn is first; a project with a limit counts before each job, and is left out.
    """
    newest, first = after.begins, after.queue.project
    taken: list[Turn] = []
    waiting: dict[str, Turn] = {}
    for turn in sorted(found, key=_place):
        if turn.queue.share.max_running is None:
            waiting.setdefault(turn.queue.project, _next(turn.queue, newest) if turn.queue.project == first else turn)
    while waiting and len(taken) < most:
        turn = min(waiting.values(), key=lambda turn: _place(turn, newest))
        newest = max(newest, turn.begins)
        taken.append(Turn(queue=turn.queue, begins=newest))
        waiting[turn.queue.project] = _next(turn.queue, newest)
    return taken


def _next(queue: Queue, begins: float) -> Turn:
    """The turn that follows one that begins then, while the job of that one runs."""
    queue = replace(queue, running=queue.running + 1, running_in_all=queue.running_in_all + 1, last_turn=begins)
    return Turn(queue=queue, begins=queue.turn(begins))


def _place(turn: Turn, newest: float = 0.0) -> tuple[float, float, int, datetime, str]:
    """What a project has and when its turn is are equal for all its queues, so that for these the rest decides."""
    queue = turn.queue
    begins = max(turn.begins, newest)
    return queue.running / queue.share.weight, begins, -queue.priority, queue.since, queue.project
