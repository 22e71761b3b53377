"""The one entry to what changes submissions and their steps, but for cancelling, and to where they are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from trtfarm.database.session import Database
from trtfarm.database.work import JobRow
from trtfarm.errors import ConflictError, NotFoundError
from trtfarm.ids import new_id
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import LIVE, StepState, SubmissionState
from trtfarm.planning import plan
from trtfarm.submissions import records, reopening
from trtfarm.submissions.moving import move_on
from trtfarm.submissions.records import STEPS, SUBMISSIONS
from trtfarm.submissions.results import Completeness
from trtfarm.submissions.settling import still_waiting
from trtfarm.submissions.standstill import moving
from trtfarm.submissions.submission import Draft, Made, Sender, StepStatus, Submission
from trtfarm.submissions.taking_in import take_in
from trtfarm.submissions.under_way import StepRecord, UnderWay, planned


class SubmissionManager:
    """Advancing is idempotent: it looks at what is there and does what is missing, whoever calls it, however often.

    A transaction advances one submission, or makes new ones, and submits their jobs in the order of their keys: two
    that want the same jobs then wait for each other in that order, and neither can hold what the other one needs.
    """

    def __init__(self, database: Database, jobs: JobManager, complete: Completeness) -> None:
        self._database = database
        self._jobs = jobs
        self._complete = complete

    def create(self, session: Session, drafts: Sequence[Draft]) -> list[Made]:
        """Stores submissions, moved on. Raises OvertakenError, InCommonError."""
        # Nobody sees that a submission has found what it finds: clean-up must not come in between.
        moving(session)
        made = [_begun(draft) for draft in drafts]
        queued = move_on(session, self._jobs, self._complete, made)
        records.add(session, made, [draft.sender for draft in drafts])
        return [(submission.id, jobs) for submission, jobs in zip(made, queued, strict=True)]

    def sent_before(self, session: Session, sender: Sender) -> str | None:
        """The submission that was made under the same idempotency key.

        Raises ConflictError if something else was asked for under it.
        """
        if sender.idempotency_key is None:
            return None
        same = SUBMISSIONS.c.project == sender.project, SUBMISSIONS.c.idempotency_key == sender.idempotency_key
        found = session.execute(select(SUBMISSIONS.c.id, SUBMISSIONS.c.asked).where(*same)).one_or_none()
        if found is not None and found.asked != sender.asked:
            raise ConflictError(
                f"submission {found.id} was made under this idempotency key, and something else was asked for",
                remedy="use a new key for a new request",
            )
        return None if found is None else str(found.id)

    def advance(self, session: Session, submission_id: str) -> list[str]:
        """Takes in what jobs have ended, and queues the steps whose needs are now met; returns the jobs queued."""
        submission = records.lock(session, submission_id)
        if submission is None:
            return []
        before = records.copies(submission)
        take_in(session, submission, self._complete)
        (queued,) = move_on(session, self._jobs, self._complete, [submission])
        records.write(session, submission, before)
        return queued

    def retry(self, session: Session, job_id: str) -> list[str]:
        """Queues an ended job again; see `reopening.retry`."""
        return reopening.retry(session, self._jobs, job_id)

    def waiting_for(self, *job_ids: str) -> list[str]:
        """The submissions to advance when these jobs have ended."""
        with self._database.steady_read() as session:
            return still_waiting(session, job_ids)

    def active(self) -> list[str]:
        """Submissions that are not at their end."""
        with self._database.read() as session:
            return list(session.scalars(select(SUBMISSIONS.c.id).where(SUBMISSIONS.c.state == SubmissionState.ACTIVE)))

    def movable(self) -> list[str]:
        """Active submissions that do not just wait: a job of theirs has ended, or none does anything for them."""
        # Sets, and no conditions of each submission: these would be looked up for one after another.
        waiting = select(STEPS.c.submission_id).where(STEPS.c.state == StepState.ACTIVE)
        ended = waiting.join(JobRow, STEPS.c.job_id == JobRow.id).where(JobRow.state.not_in(LIVE))
        active = select(SUBMISSIONS.c.id).where(SUBMISSIONS.c.state == SubmissionState.ACTIVE)
        with self._database.read() as session:
            return list(
                session.scalars(active.where(or_(SUBMISSIONS.c.id.in_(ended), SUBMISSIONS.c.id.not_in(waiting))))
            )

    def get(self, submission_id: str) -> Submission:
        """Where a submission is now. Raises NotFoundError."""
        with self._database.read() as session:
            row = session.execute(select(SUBMISSIONS).where(SUBMISSIONS.c.id == submission_id)).first()
            if row is None:
                raise NotFoundError(f"there is no submission {submission_id}")
            steps = records.steps_of(session, submission_id)
        return Submission(
            id=row.id,
            project=row.project,
            created_by=row.created_by,
            request=records.request_of(row)[0],
            state=row.state,
            created=row.created,
            finished=row.finished,
            steps=tuple(map(_status, steps)),
        )


def _begun(draft: Draft) -> UnderWay:
    steps = plan(draft.request)
    return UnderWay(
        id=new_id("sub"),
        project=draft.sender.project,
        request=draft.request,
        fresh=draft.fresh,
        plan=steps,
        steps=planned(steps),
    )


def _status(step: StepRecord) -> StepStatus:
    return StepStatus(
        name=step.name,
        kind=step.kind.value,
        state=step.state,
        job_id=step.job_id,
        key=step.key,
        result=step.result,
        error=step.error,
    )
