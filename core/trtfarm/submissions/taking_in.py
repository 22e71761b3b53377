"""The ends of a submission's jobs: what each gave its step, and what has to be made again because it was lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.database.work import SubmissionRow
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.rules import LOST_FILE
from trtfarm.jobs.state import JobState, StepState
from trtfarm.submissions.finding import apply_gate
from trtfarm.submissions.results import Completeness, whole
from trtfarm.submissions.under_way import MET, StepRecord, UnderWay

#: What is lost again after a submission had it made so often says that the store cannot be relied on.
_MADE_AT_MOST = 2


def take_in(session: Session, submission: UnderWay, complete: Completeness) -> None:
    """Notes for each step whose job has ended what became of it."""
    active = [step for step in submission.steps.values() if step.state is StepState.ACTIVE]
    wanted = select(JOBS.c.id, JOBS.c.state, JOBS.c.result, JOBS.c.error)
    jobs = session.execute(wanted.where(JOBS.c.id.in_({step.job_id for step in active}))) if active else ()
    ended = {job.id: job for job in jobs if not job.state.live}
    for step in active:
        if (job := ended.get(step.job_id)) is not None:
            _take_in(session, submission, complete, step, job)


def _take_in(session: Session, submission: UnderWay, complete: Completeness, step: StepRecord, job: Any) -> None:
    if job.state is JobState.DONE:
        step.state, step.result = StepState.DONE, job.result
        apply_gate(session, submission, step)
    elif job.state is JobState.CANCELLED:
        step.state = StepState.CANCELLED
    elif _blob_lost(job) and _take_back(session, submission, complete, step):
        step.state, step.job_id = StepState.PENDING, None
    else:
        step.state, step.error = StepState.FAILED, job.error


def _take_back(session: Session, submission: UnderWay, complete: Completeness, step: StepRecord) -> bool:
    """Takes back needs whose blobs turned out to be damaged or gone; whether any of them has to be done again."""
    again = False
    for need in (submission.steps[name] for name in step.needs):
        lost = need.state in MET and not _intact(session, submission, complete, need)
        if lost and _times_made(session, submission, need) < _MADE_AT_MOST:
            need.state, need.result = StepState.PENDING, None
        again |= need.state not in MET
    return again


def _intact(session: Session, submission: UnderWay, complete: Completeness, step: StepRecord) -> bool:
    """Whether a result is still there; a choice has nothing of its own: it is as long as all that it chose from."""
    if step.kind is ActionKind.CHOOSE:
        return not _take_back(session, submission, complete, step)
    return whole(session, step.kind, step.key, complete)


def _times_made(session: Session, submission: UnderWay, step: StepRecord) -> int:
    """How many jobs have done a step since its submission was made."""
    begun = select(SubmissionRow.created).where(SubmissionRow.id == submission.id).scalar_subquery()
    made = JOBS.c.key == step.key, JOBS.c.state == JobState.DONE, JOBS.c.created >= begun
    return session.scalar(select(func.count()).select_from(JOBS).where(*made)) or 0


def _blob_lost(job: Any) -> bool:
    """Whether the job failed for a damaged or missing blob, which doing another step again may mend."""
    return job.error is not None and job.error["code"] in {error.code for error in LOST_FILE}
