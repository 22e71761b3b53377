"""What becomes of a job whose attempt ended without a result."""

from __future__ import annotations

from trtfarm.errors import CorruptBlobError, MissingBlobError, TrtfarmError
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState

#: No other attempt finds these files either: whoever waits for the job has them made anew, and asks for it again.
LOST_FILE = (CorruptBlobError, MissingBlobError)


def after_failure(job: Job, error: TrtfarmError) -> JobState:
    """The user's fault fails at once; the farm's fault is tried again while attempts are left."""
    if not error.retryable:
        return JobState.FAILED
    if job.cancel_requested:
        return JobState.CANCELLED
    if isinstance(error, LOST_FILE):
        return JobState.FAILED
    return JobState.QUEUED if job.attempt < job.max_attempts else JobState.FAILED


def after_release(job: Job) -> JobState:
    """A job given back unfinished is still wanted, unless someone asked for its end."""
    return JobState.CANCELLED if job.cancel_requested else JobState.QUEUED


def after_lost_worker(job: Job) -> JobState:
    """A job whose worker vanished is tried again; one that every worker died of is kept away from the others."""
    if job.cancel_requested:
        return JobState.CANCELLED
    return JobState.QUEUED if job.attempt < job.max_attempts else JobState.QUARANTINED
