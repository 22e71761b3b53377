"""Makes submissions and moves them on; what changes the state of a submission or of a step, but for cancelling it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table, func, insert, or_, select
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.catalog.visibility import grant
from trtfarm.database.clock import now
from trtfarm.database.schema import JobRow, StepRow, SubmissionRow
from trtfarm.database.session import Database
from trtfarm.errors import ConflictError, NotFoundError, TrtfarmError, UsageError
from trtfarm.ids import new_id
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.rules import LOST_FILE
from trtfarm.jobs.state import LIVE, JobState, StepState, SubmissionState
from trtfarm.jobs.wishes import Wish
from trtfarm.planning import Step, SubmissionRequest, plan
from trtfarm.requirements import Requirements
from trtfarm.submissions.cancelling import was_cancelled
from trtfarm.submissions.gates import gate_error
from trtfarm.submissions.gone import check_all_there
from trtfarm.submissions.placement import need_of
from trtfarm.submissions.resolve import Work, resolve
from trtfarm.submissions.results import ALSO, Completeness, find_all, whole
from trtfarm.submissions.standstill import moving
from trtfarm.submissions.submission import LOCAL, Sender, StepStatus, Submission

_MET = frozenset({StepState.HIT, StepState.DONE})
_LOST = frozenset({StepState.FAILED, StepState.SKIPPED, StepState.CANCELLED})
#: The tables, not the mapped classes: a session's own way of inserting takes longer than the database does.
_SUBMISSIONS, _STEPS = cast(Table, SubmissionRow.__table__), cast(Table, StepRow.__table__)
#: What is lost again after a submission had it made so often says that the store cannot be relied on.
_MADE_AT_MOST = 2


class SubmissionManager:
    """Advancing is idempotent: it looks at what is there and does what is missing, whoever calls it, however often.

    A transaction advances one submission and submits its jobs in the order of their keys: two that want the same jobs
    then wait for each other in that order, and neither can hold what the other one needs.
    """

    def __init__(self, database: Database, jobs: JobManager, complete: Completeness) -> None:
        self._database = database
        self._jobs = jobs
        self._complete = complete

    def create(
        self, session: Session, request: SubmissionRequest, *, fresh: bool = False, sender: Sender = LOCAL
    ) -> tuple[str, list[str]]:
        """Stores a submission and advances it; returns its id and the jobs to tell the broker of after the commit.

        `fresh` does every step again, whatever is stored already.
        """
        submission = SubmissionRow(
            id=new_id("sub"),
            request={**request.as_dict(), "fresh": fresh},
            state=SubmissionState.ACTIVE,
            project=sender.project,
            created_by=sender.token,
            idempotency_key=sender.idempotency_key,
            asked=sender.asked,
        )
        # Nobody sees that the submission has found what it finds: clean-up must not come in between.
        moving(session)
        grant(session, sender.project, request.named)
        steps = plan(request)
        rows = {
            step.name: StepRow(
                submission_id=submission.id,
                name=step.name,
                kind=step.kind.value,
                position=position,
                needs=list(step.needs),
                state=StepState.PENDING,
            )
            for position, step in enumerate(steps)
        }
        queued = self._move_on(session, submission, request, steps, rows, fresh=fresh)
        # Only now, as they are by now: nobody else has seen them.
        session.execute(insert(_SUBMISSIONS).values(_values(submission)))
        session.execute(insert(_STEPS), [_step_values(row) for row in rows.values()])
        return submission.id, queued

    def sent_before(self, session: Session, sender: Sender) -> str | None:
        """The submission that was made under the same idempotency key.

        Raises ConflictError if something else was asked for under it.
        """
        if sender.idempotency_key is None:
            return None
        same_key = SubmissionRow.project == sender.project, SubmissionRow.idempotency_key == sender.idempotency_key
        row = session.scalars(select(SubmissionRow).where(*same_key)).one_or_none()
        if row is not None and row.asked != sender.asked:
            raise ConflictError(
                f"submission {row.id} was made under this idempotency key, and something else was asked for",
                remedy="use a new key for a new request",
            )
        return None if row is None else row.id

    def advance(self, session: Session, submission_id: str) -> list[str]:
        """Takes in what jobs have ended, and queues the steps whose needs are now met; returns the jobs queued."""
        row = session.get(SubmissionRow, submission_id, with_for_update=True)
        if row is None or row.state is not SubmissionState.ACTIVE:
            return []
        request, fresh = _request(row)
        steps, rows = plan(request), self._steps(session, submission_id)
        for step_row in rows.values():
            if step_row.state is StepState.ACTIVE:
                self._take_in(session, request, step_row, rows)
        return self._move_on(session, row, request, steps, rows, fresh=fresh)

    def _move_on(
        self,
        session: Session,
        submission: SubmissionRow,
        request: SubmissionRequest,
        steps: Collection[Step],
        rows: Mapping[str, StepRow],
        *,
        fresh: bool,
    ) -> list[str]:
        """Queues the steps whose needs are met, and ends the submission if nothing is left; returns the jobs queued."""
        if not fresh:
            self._find_early(session, request, steps, rows)
        missing: list[tuple[Step, Work]] = []
        while ready := _ready(steps, rows, missing):
            missing += self._find(session, request, ready, rows, fresh=fresh)
        requires = {step.name: need_of(session, request, step).requires for step, _ in missing}
        queued = self._submit(session, submission, rows, missing, requires)
        _skip(steps, rows)
        _conclude(submission, list(rows.values()))
        return queued

    def retry(self, session: Session, job_id: str) -> list[str]:
        """Queues an ended job again, and lets the submissions go on that lost a step with it; returns these.

        Those that were cancelled as a whole stay so. All are locked before the job, in the order of their ids. Raises
        UsageError as `JobManager.retry`, and where clean-up took what the job was to be done with.
        """
        lost = select(StepRow.submission_id).where(StepRow.job_id == job_id, StepRow.state.in_(_LOST))
        reopened = []
        for submission_id in sorted(set(session.scalars(lost))):
            row = session.get(SubmissionRow, submission_id, with_for_update=True)
            if row is not None and not was_cancelled(row):
                _reopen(row, job_id, self._steps(session, submission_id).values())
                reopened.append(submission_id)
        check_all_there(session, job_id, self._jobs.requeue(session, job_id).request)
        return reopened

    def waiting_for(self, *job_ids: str) -> list[str]:
        """The submissions to advance when these jobs have ended."""
        # Which of them wait is seen here: PostgreSQL, asked for both, may look at all steps that wait for anything.
        found = select(StepRow.submission_id, StepRow.state).where(StepRow.job_id.in_(job_ids))
        with self._database.read() as session:
            return sorted({name for name, state in session.execute(found) if state is StepState.ACTIVE})

    def active(self) -> list[str]:
        """Submissions that are not at their end."""
        with self._database.read() as session:
            return list(session.scalars(select(SubmissionRow.id).where(SubmissionRow.state == SubmissionState.ACTIVE)))

    def movable(self) -> list[str]:
        """Active submissions that do not just wait: a job of theirs has ended, or none does anything for them."""
        # Sets, and no conditions of each submission: these would be looked up for one after another.
        waiting = select(StepRow.submission_id).where(StepRow.state == StepState.ACTIVE)
        ended = waiting.join(JobRow, StepRow.job_id == JobRow.id).where(JobRow.state.not_in(LIVE))
        active = select(SubmissionRow.id).where(SubmissionRow.state == SubmissionState.ACTIVE)
        with self._database.read() as session:
            return list(
                session.scalars(active.where(or_(SubmissionRow.id.in_(ended), SubmissionRow.id.not_in(waiting))))
            )

    def get(self, submission_id: str) -> Submission:
        """Where a submission is now. Raises NotFoundError."""
        with self._database.read() as session:
            row = session.get(SubmissionRow, submission_id)
            if row is None:
                raise NotFoundError(f"there is no submission {submission_id}")
            steps = self._steps(session, submission_id).values()
            return Submission(
                id=row.id,
                project=row.project,
                created_by=row.created_by,
                request=_request(row)[0],
                state=row.state,
                created=row.created,
                finished=row.finished,
                steps=tuple(_status(step) for step in steps),
            )

    def _steps(self, session: Session, submission_id: str) -> dict[str, StepRow]:
        wanted = select(StepRow).where(StepRow.submission_id == submission_id).order_by(StepRow.position)
        return {row.name: row for row in session.scalars(wanted)}

    def _take_in(self, session: Session, request: SubmissionRequest, row: StepRow, rows: Mapping[str, StepRow]) -> None:
        """The end of the step's job, if it has ended."""
        job = session.get(JobRow, row.job_id, populate_existing=True)
        if job is None or job.state.live:
            return
        if job.state is JobState.DONE:
            row.state, row.result = StepState.DONE, job.result
            self._apply_gate(session, request, row)
        elif job.state is JobState.CANCELLED:
            row.state = StepState.CANCELLED
        elif _blob_lost(job) and self._take_back(session, row, rows):
            row.state, row.job_id = StepState.PENDING, None
        else:
            row.state, row.error = StepState.FAILED, job.error

    def _take_back(self, session: Session, row: StepRow, rows: Mapping[str, StepRow]) -> bool:
        """Takes back needs whose blobs turned out to be damaged or gone; whether any of them has to be done again."""
        again = False
        for need in (rows[name] for name in row.needs):
            lost = need.state in _MET and not self._intact(session, need, rows)
            if lost and _times_made(session, need) < _MADE_AT_MOST:
                need.state, need.result = StepState.PENDING, None
            again |= need.state not in _MET
        return again

    def _intact(self, session: Session, row: StepRow, rows: Mapping[str, StepRow]) -> bool:
        """Whether a result is still there; a choice has nothing of its own: it is as long as all that it chose from."""
        if row.kind == ActionKind.CHOOSE:
            return not self._take_back(session, row, rows)
        return whole(session, ActionKind(row.kind), row.key, self._complete)

    def _find_early(
        self, session: Session, request: SubmissionRequest, steps: Collection[Step], rows: Mapping[str, StepRow]
    ) -> None:
        """Looks for tables before the data was observed for them: where all are there, nobody needs to."""
        early = [step for step in steps if step.known_early and rows[step.name].state is StepState.PENDING]
        self._find(session, request, early, rows, fresh=False)
        _spare(steps, rows)

    def _find(
        self,
        session: Session,
        request: SubmissionRequest,
        steps: Iterable[Step],
        rows: Mapping[str, StepRow],
        *,
        fresh: bool,
    ) -> list[tuple[Step, Work]]:
        """Takes the results of steps that are stored; returns what is to be done for the others."""
        works = [(step, work) for step in steps if (work := _resolved(session, request, step, rows)) is not None]
        done = _done_by(rows.values()) if fresh else set()
        looked_up = [work.action for _, work in works if not fresh or work.action.key in done]
        stored = find_all(session, looked_up, self._complete)
        missing = []
        for step, work in works:
            row = rows[step.name]
            result = dict(work.result) if work.result else stored.get(work.action.key)
            if result is None:
                missing.append((step, work))
            else:
                row.state, row.result = StepState.HIT, result
                self._apply_gate(session, request, row)
        return missing

    def _submit(
        self,
        session: Session,
        submission: SubmissionRow,
        rows: Mapping[str, StepRow],
        missing: Sequence[tuple[Step, Work]],
        requires: Mapping[str, Requirements],
    ) -> list[str]:
        """Gets the jobs of steps on their way; the ids of those that were made now."""
        wishes = {
            work.action.key: Wish(
                kind=work.action.kind.value,
                key=work.action.key,
                request={**work.request, "fields": dict(work.action.fields)},
                priority=submission.request.get("priority", 0),
                project=submission.project,
                requires=requires[step.name],
            )
            for step, work in missing
        }
        jobs = self._jobs.submit_all(session, wishes.values())
        for step, work in missing:
            row, granted = rows[step.name], jobs[work.action.key]
            row.state, row.job_id = StepState.ACTIVE, granted.job_id
            if granted.quarantined:  # it would only cost more workers
                row.state, row.error = StepState.FAILED, granted.error
        return [granted.job_id for granted in jobs.values() if granted.made]

    def _apply_gate(self, session: Session, request: SubmissionRequest, row: StepRow) -> None:
        """Fails a step that verified, or measured an engine, and found more lost than the submission allows."""
        error = gate_error(session, request, row.name, ActionKind(row.kind), row.result)
        if error is not None:
            row.state, row.error = StepState.FAILED, error.as_dict()


def _request(row: SubmissionRow) -> tuple[SubmissionRequest, bool]:
    data: dict[str, Any] = dict(row.request)
    fresh = bool(data.pop("fresh", False))
    try:
        return SubmissionRequest.from_dict(data), fresh
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"submission {row.id} cannot be read",
            cause=f"{type(error).__name__}: {error}; another release of trtfarm made it",
            remedy="use that release, or submit again",
        ) from error


def _ready(steps: Iterable[Step], rows: Mapping[str, StepRow], missing: Collection[tuple[Step, Work]]) -> list[Step]:
    """The steps that wait for nothing and were not looked up yet."""
    known = {step.name for step, _ in missing}
    return [
        step
        for step in steps
        if rows[step.name].state is StepState.PENDING
        and step.name not in known
        and all(rows[name].state in _MET for name in step.needs)
    ]


def _resolved(session: Session, request: SubmissionRequest, step: Step, rows: Mapping[str, StepRow]) -> Work | None:
    """What the step stands for now that its needs are met; None where that cannot be told, and the step has failed."""
    row = rows[step.name]
    try:
        work = resolve(session, request, step, {name: other.result or {} for name, other in rows.items()})
    except TrtfarmError as error:
        row.state, row.error = StepState.FAILED, error.as_dict()
        return None
    row.key = work.action.key
    return work


def _values(row: SubmissionRow) -> dict[str, Any]:
    """What a row has that is not in the database; its defaults are left to that."""
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def _step_values(row: StepRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in _STEPS.c}


def _done_by(steps: Iterable[StepRow]) -> set[str | None]:
    """Keys of what a submission itself has done, which is fresh."""
    done = [step for step in steps if step.state is StepState.DONE]
    return {key for step in done for key in (step.key, (step.result or {}).get(ALSO))}


def _times_made(session: Session, step: StepRow) -> int:
    """How many jobs have done a step since its submission was made."""
    begun = select(SubmissionRow.created).where(SubmissionRow.id == step.submission_id).scalar_subquery()
    made = JobRow.key == step.key, JobRow.state == JobState.DONE, JobRow.created >= begun
    return session.scalar(select(func.count()).select_from(JobRow).where(*made)) or 0


def _blob_lost(job: JobRow) -> bool:
    """Whether the job failed for a damaged or missing blob, which doing another step again may mend."""
    return job.error is not None and job.error["code"] in {error.code for error in LOST_FILE}


def _reopen(row: SubmissionRow, job_id: str, steps: Iterable[StepRow]) -> None:
    """Lets the steps wait again that a job's end took with it; what else was lost stays so, and `advance` finds it."""
    row.state, row.error, row.finished = SubmissionState.ACTIVE, None, None
    for step in steps:
        if step.job_id == job_id and step.state in _LOST:
            step.state, step.error = StepState.ACTIVE, None
        elif step.state is StepState.SKIPPED:
            step.state = StepState.PENDING


def _spare(steps: Iterable[Step], rows: Mapping[str, StepRow]) -> None:
    """Lets observations be that serve nothing any more, and takes those back that have to be made after all.

    What was spared is a hit that gave nothing.
    """
    for step in steps:
        row = rows[step.name]
        needless = bool(step.serves) and all(rows[name].state in _MET for name in step.serves)
        if needless and row.state is StepState.PENDING:
            row.state, row.result = StepState.HIT, {}
        elif step.serves and not needless and row.state is StepState.HIT and not row.result:
            row.state, row.result = StepState.PENDING, None


def _skip(steps: Iterable[Step], rows: Mapping[str, StepRow]) -> None:
    """Marks the steps that wait for a step which will never be done."""
    for step in steps:
        if rows[step.name].state is StepState.PENDING and any(rows[name].state in _LOST for name in step.needs):
            rows[step.name].state = StepState.SKIPPED


def _conclude(row: SubmissionRow, steps: Collection[StepRow]) -> None:
    """Ends the submission when nothing of it has anything left to do."""
    states = {step.state for step in steps}
    if not states <= _MET | _LOST:
        return
    if StepState.FAILED in states:
        row.state = SubmissionState.FAILED
    else:
        row.state = SubmissionState.CANCELLED if StepState.CANCELLED in states else SubmissionState.DONE
    row.error = next((step.error for step in steps if step.error), None)
    row.finished = now()


def _status(row: StepRow) -> StepStatus:
    return StepStatus(
        name=row.name,
        kind=row.kind,
        state=row.state,
        job_id=row.job_id,
        key=row.key,
        result=row.result,
        error=row.error,
    )
