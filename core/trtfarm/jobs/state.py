"""The states of jobs, of submissions and of their steps, and the ways between those of jobs."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is in its life."""

    #: Accepted and waiting for a worker.
    QUEUED = "queued"
    #: Claimed by a worker whose lease has not been found expired.
    RUNNING = "running"
    #: Finished; its result is stored.
    DONE = "done"
    #: Ended without a result, by the user's fault or after its last attempt.
    FAILED = "failed"
    #: Stopped on request.
    CANCELLED = "cancelled"
    #: Its worker vanished on every attempt; it runs again only when someone asks for a retry.
    QUARANTINED = "quarantined"

    @property
    def live(self) -> bool:
        """Whether the job still has something to do; at most one job of a key is live."""
        return self in LIVE


LIVE = frozenset({JobState.QUEUED, JobState.RUNNING})

#: From a state to those that may follow it. RUNNING to QUEUED is a worker lost, a failure worth another attempt, or a
#: worker shutting down; from an end state only a retry leads on.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED, JobState.QUARANTINED}
    ),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.QUARANTINED: frozenset({JobState.QUEUED}),
}

#: End states that a retry leads out of.
RETRYABLE = frozenset(state for state in TRANSITIONS if state not in LIVE and TRANSITIONS[state])


class SubmissionState(StrEnum):
    """Where a submission, a small graph of steps, is in its life."""

    #: At least one step has something to do.
    ACTIVE = "active"
    #: Every step is done, or was found done.
    DONE = "done"
    #: A step failed.
    FAILED = "failed"
    #: Stopped on request.
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Where one step of a submission is in its life."""

    #: Waits for the steps it needs.
    PENDING = "pending"
    #: Its job is queued or running.
    ACTIVE = "active"
    #: Its result was there already.
    HIT = "hit"
    #: Its job is done.
    DONE = "done"
    #: Its job failed.
    FAILED = "failed"
    #: Not run, because a step it needs failed.
    SKIPPED = "skipped"
    #: Stopped on request.
    CANCELLED = "cancelled"
