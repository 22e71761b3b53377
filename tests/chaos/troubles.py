"""What is done to a farm in a campaign: planned from a seed, then done one after the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """A verb, and what it is done to."""

    KILL_WORKER = "kill worker"
    STOP_WORKER = "stop worker"
    KILL_BUILDER = "kill builder"
    STOP_BUILDER = "stop builder"
    KILL_API = "kill api"
    STOP_API = "stop api"
    KILL_CLIENT = "kill client"
    KILL_RECONCILER = "kill reconciler"
    STOP_RECONCILER = "stop reconciler"
    KILL_CLEANER = "kill cleaner"
    KILL_BROKER = "kill broker"
    STOP_BROKER = "stop broker"
    KILL_DATABASE = "kill postgresql"
    STOP_DATABASE = "stop postgresql"
    #: A worker is stopped with work to do until that has been given to another.
    OUTLAST_LEASE = "outlast lease"
    #: A worker with several jobs that it has claimed together.
    KILL_HAND = "kill hand"
    OUTLAST_HAND = "outlast hand"
    EMPTY_BROKER = "empty broker"
    FILL_DISK = "fill disk"
    #: What operators do; a worker is away for a while, and so is a job.
    PAUSE_WORKER = "pause worker"
    DRAIN_WORKER = "drain worker"
    CANCEL_JOB = "cancel job"
    PIN_ENGINE = "pin engine"
    #: One that nothing will read again.
    CORRUPT_BLOB = "corrupt blob"
    #: One that a job is about to read.
    CORRUPT_NEED = "corrupt need"


#: How often each comes, in relation to the others.
_SHARES = {
    Trouble.KILL_WORKER: 6,
    Trouble.STOP_WORKER: 4,
    Trouble.KILL_BUILDER: 6,
    Trouble.STOP_BUILDER: 2,
    Trouble.KILL_API: 2,
    Trouble.STOP_API: 1,
    Trouble.KILL_CLIENT: 4,
    Trouble.KILL_RECONCILER: 2,
    Trouble.STOP_RECONCILER: 1,
    Trouble.KILL_CLEANER: 1,
    Trouble.KILL_BROKER: 2,
    Trouble.STOP_BROKER: 1,
    Trouble.KILL_DATABASE: 2,
    Trouble.STOP_DATABASE: 1,
}
#: What operators do, in relation to each other; there is one of these for each so many kills.
_OPERATIONS = {Trouble.PAUSE_WORKER: 2, Trouble.DRAIN_WORKER: 2, Trouble.CANCEL_JOB: 4, Trouble.PIN_ENGINE: 1}
_KILLS_OF_AN_OPERATION = 3
#: These come once, late enough for there to be something to lose.
ONCE = (
    Trouble.OUTLAST_LEASE,
    Trouble.KILL_HAND,
    Trouble.OUTLAST_HAND,
    Trouble.EMPTY_BROKER,
    Trouble.FILL_DISK,
    Trouble.CORRUPT_BLOB,
    Trouble.CORRUPT_NEED,
)
#: There is nothing to do these to when all the work is done.
OF_WORK = {
    Trouble.OUTLAST_LEASE,
    Trouble.KILL_HAND,
    Trouble.OUTLAST_HAND,
    Trouble.CORRUPT_NEED,
    Trouble.CANCEL_JOB,
}
_ONCE_FROM = 0.4
#: The longest is longer than a lease: then a worker that goes on may find that its job is another's.
_STOPPED_SECONDS = (0.5, 2.0, 4.0, 9.0)


@dataclass(frozen=True, kw_only=True)
class Act:
    """One trouble: `at` seconds after the beginning, for so long where it is one that ends; `draw` says which one."""

    at: float
    trouble: Trouble
    seconds: float
    draw: float


def plan(seed: int, seconds: float, kills: int) -> list[Act]:
    """So many kills and stops over the time, what operators do meanwhile, and each of the others once."""
    chance = random.Random(seed)
    operations = -(-kills // _KILLS_OF_AN_OPERATION)
    chosen = [
        trouble
        for shares, count in ((_SHARES, kills), (_OPERATIONS, operations))
        for trouble in chance.choices(list(shares), list(shares.values()), k=count)
    ]
    often = [(chance.uniform(0, seconds), trouble) for trouble in chosen]
    once = [(chance.uniform(_ONCE_FROM * seconds, seconds), trouble) for trouble in ONCE]
    return [
        Act(at=at, trouble=trouble, seconds=chance.choice(_STOPPED_SECONDS), draw=chance.random())
        for at, trouble in sorted(often + once)
    ]
