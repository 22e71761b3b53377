"""Submissions that lost a step with a job: they go on when somebody has the job tried again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.database.work import StepRow, SubmissionRow
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.submissions.cancelling import was_cancelled
from trtfarm.submissions.gone import check_all_there
from trtfarm.submissions.results import KINDS
from trtfarm.submissions.under_way import LOST, MET

#: The word under which a result names its row -> where that is.
_ROWS = {kind.word: kind.rows for kind in KINDS.values()}


def retry(session: Session, jobs: JobManager, job_id: str) -> list[str]:
    """Queues an ended job again, and lets the submissions go on that lost a step with it; returns these.

    Those that were cancelled as a whole stay so. All are locked before the job, in the order of their ids, and also
    those that wait: they may be losing the step just now. Raises UsageError as `JobManager.retry`, and where clean-up
    took what the job was to be done with.
    """
    concerned = StepRow.job_id == job_id, StepRow.state.in_({StepState.ACTIVE, *LOST})
    reopened = []
    for submission_id in sorted(set(session.scalars(select(StepRow.submission_id).where(*concerned)))):
        row = session.get(SubmissionRow, submission_id, with_for_update=True)
        mine = select(StepRow).where(StepRow.submission_id == submission_id)
        steps = session.scalars(mine.order_by(StepRow.position)).all()
        lost = any(step.job_id == job_id and step.state in LOST for step in steps)
        if row is not None and lost and not was_cancelled(row):
            _reopen(row, steps, job_id)
            _take_back(session, steps)
            reopened.append(submission_id)
    check_all_there(session, job_id, jobs.requeue(session, job_id).request)
    return reopened


def _reopen(row: SubmissionRow, steps: Iterable[StepRow], job_id: str) -> None:
    """Lets the steps wait again that a job's end took with it; what else was lost stays so, and is found so again."""
    row.state, row.error, row.finished = SubmissionState.ACTIVE, None, None
    for step in steps:
        if step.job_id == job_id and step.state in LOST:
            step.state, step.error = StepState.ACTIVE, None
        elif step.state is StepState.SKIPPED:
            step.state = StepState.PENDING


def _take_back(session: Session, steps: Sequence[StepRow]) -> None:
    """Has made again what open steps need, and clean-up took while nothing was open; `steps` are in their order."""
    needed: set[str] = set()
    for step in reversed(steps):
        lost = step.state in MET and step.name in needed and not _there(session, step)
        if lost:
            step.state, step.job_id, step.result = StepState.PENDING, None, None
        if lost or step.state not in MET | LOST:
            needed.update(step.needs)


def _there(session: Session, step: StepRow) -> bool:
    named = [(_ROWS[word], row_id) for word, row_id in (step.result or {}).items() if word in _ROWS]
    return all(session.get(rows, row_id) is not None for rows, row_id in named)
