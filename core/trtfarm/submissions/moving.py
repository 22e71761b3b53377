"""Moving submissions on: each takes what is there, asks for what is missing, and ends when nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.submissions.asking import ask_for_jobs
from trtfarm.submissions.finding import find_results
from trtfarm.submissions.results import Completeness
from trtfarm.submissions.under_way import LOST, MET, StepRecord, UnderWay


def move_on(
    session: Session, jobs: JobManager, complete: Completeness, submissions: Sequence[UnderWay]
) -> list[list[str]]:
    """Queues the steps whose needs are met, and ends submissions of which nothing is left; returns the jobs of each.

    Changes them and the jobs, and leaves it to the caller to write the former. Raises OvertakenError, InCommonError.
    """
    misses = list(zip(submissions, find_results(session, submissions, complete), strict=True))
    queued = ask_for_jobs(session, jobs, misses, complete)
    for submission in submissions:
        _skip(submission)
        _conclude(submission, submission.steps.values())
    return queued


def _skip(submission: UnderWay) -> None:
    """Marks the steps that wait for a step which will never be done."""
    for step in submission.steps.values():
        if step.state is StepState.PENDING and any(submission.steps[name].state in LOST for name in step.needs):
            step.state = StepState.SKIPPED


def _conclude(submission: UnderWay, steps: Iterable[StepRecord]) -> None:
    """Ends the submission when nothing of it has anything left to do."""
    states = {step.state for step in steps}
    if not states <= MET | LOST:
        return
    if StepState.FAILED in states:
        submission.state = SubmissionState.FAILED
    else:
        submission.state = SubmissionState.CANCELLED if StepState.CANCELLED in states else SubmissionState.DONE
    submission.error = next((step.error for step in steps if step.error), None)
