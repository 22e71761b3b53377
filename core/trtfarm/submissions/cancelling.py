"""Cancelling a submission as a whole: its steps end at once, its jobs only where nobody else wants them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from trtfarm.database.clock import now
from trtfarm.database.schema import JobRow, StepRow, SubmissionRow
from trtfarm.errors import BuilderCancelledError, NotFoundError
from trtfarm.jobs.job import Job
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import JobState, StepState, SubmissionState

_OPEN = (StepState.PENDING, StepState.ACTIVE)


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """A submission as it is now, and the ids of the jobs that it had waited for."""

    submission: str
    state: SubmissionState
    #: Were queued, and are no more.
    withdrawn: tuple[str, ...] = ()
    #: Run, and their workers are asked to stop.
    stopping: tuple[str, ...] = ()
    #: Go on, because other submissions wait for them too.
    left: tuple[str, ...] = ()


def cancel_submission(session: Session, jobs: JobManager, submission_id: str) -> Cancelled:
    """Ends a submission that is not at its end; one that is stays as it is. Raises NotFoundError.

    Its jobs are locked in the order of their keys, as when a submission is moved on.
    """
    row = session.get(SubmissionRow, submission_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"there is no submission {submission_id}")
    if row.state is not SubmissionState.ACTIVE:
        return Cancelled(submission=row.id, state=row.state)
    fates: dict[str, list[str]] = {}
    for job_id in _jobs_of(session, submission_id):
        job = jobs.withdraw(session, job_id, partial(projects_waiting_for, session, job_id, but=submission_id))
        if job is not None:
            fates.setdefault(_fate(job), []).append(job_id)
    _end(session, row)
    return Cancelled(submission=row.id, state=row.state, **{name: tuple(ids) for name, ids in fates.items()})


def was_cancelled(row: SubmissionRow) -> bool:
    """Whether a submission was cancelled as a whole, and did not end with a job that somebody stopped."""
    return row.state is SubmissionState.CANCELLED and (row.error or {}).get("code") == BuilderCancelledError.code


def projects_waiting_for(session: Session, job_id: str, *, but: str | None = None) -> list[str]:
    """The projects of the submissions, but for one, that wait for a job, the one that waits longest first."""
    wanted = (
        select(SubmissionRow.project)
        .join(StepRow, StepRow.submission_id == SubmissionRow.id)
        .where(StepRow.job_id == job_id, StepRow.state == StepState.ACTIVE, SubmissionRow.id != (but or ""))
        .group_by(SubmissionRow.project)
        .order_by(func.min(SubmissionRow.created), SubmissionRow.project)
    )
    return list(session.scalars(wanted))


def _fate(job: Job) -> str:
    if job.state is JobState.CANCELLED:
        return "withdrawn"
    return "stopping" if job.cancel_requested else "left"


def _jobs_of(session: Session, submission_id: str) -> list[str]:
    mine = StepRow.submission_id == submission_id, StepRow.state == StepState.ACTIVE
    wanted = select(JobRow.id).where(JobRow.id.in_(select(StepRow.job_id).where(*mine)))
    return list(session.scalars(wanted.order_by(JobRow.key)))


def _end(session: Session, row: SubmissionRow) -> None:
    for step in session.scalars(select(StepRow).where(StepRow.submission_id == row.id, StepRow.state.in_(_OPEN))):
        step.state = StepState.CANCELLED
    row.state, row.finished = SubmissionState.CANCELLED, now()
    row.error = BuilderCancelledError("the submission was cancelled", remedy="submit it again").as_dict()
    session.flush()
