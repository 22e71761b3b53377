"""A job as the rest of the farm sees it: a frozen value, not a row that changes under its reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trtfarm.jobs.state import JobState
from trtfarm.requirements import Requirements
from trtfarm.routing import Need


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of work, as it was when it was read.

    `attempt` counts the claims and is the fencing token: whoever claimed an earlier attempt can no longer finish.
    `error` and `result` are plain data (`TrtfarmError.as_dict()`, and what the runner returned).
    """

    id: str
    kind: str
    key: str
    #: What a worker must offer to run it.
    capability: str
    #: Which of those that offer it may run it.
    requires: Requirements
    request: dict[str, Any]
    state: JobState
    attempt: int
    max_attempts: int
    owner: str | None
    lease_until: datetime | None
    priority: int
    #: When it was its project's turn, in turns; None until a worker takes it.
    turn: float | None
    created: datetime
    queued_at: datetime
    hinted_at: datetime | None
    #: None until it is begun, also while it waits for the end of another one that its worker claimed together with it.
    started: datetime | None
    finished: datetime | None
    cancel_requested: bool
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    project: str

    @property
    def need(self) -> Need:
        """All that a worker must offer."""
        return Need(self.capability, self.requires)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right of one owner to run one attempt of a job, until its lease is found expired."""

    job: Job
    owner: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What an attempt gave, how many seconds ago it was begun, and the last of its history before its end."""

    claim: Claim
    result: dict[str, Any]
    seconds: float = 0.0
    lines: Sequence[tuple[str, dict[str, Any]]] = ()


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a job's history; ids of one job grow in the order in which they became visible."""

    id: int
    job_id: str
    attempt: int
    at: datetime
    kind: str
    data: dict[str, Any]
