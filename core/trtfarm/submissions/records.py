"""Submissions and their steps in the database: made in one message, read, and written back as far as they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, cast

from sqlalchemy import Boolean, Row, Table, case, column, insert, select, true, update
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.catalog.visibility import granting
from trtfarm.database.clock import now
from trtfarm.database.kept import Kept
from trtfarm.database.many import as_parameter, json_text, many
from trtfarm.database.work import StepRow, SubmissionRow
from trtfarm.errors import UsageError
from trtfarm.jobs.state import SubmissionState
from trtfarm.planning import plan
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Sender
from trtfarm.submissions.under_way import StepRecord, UnderWay

#: The tables, not the mapped classes: a session's own ways take longer than the database does.
SUBMISSIONS, STEPS = cast(Table, SubmissionRow.__table__), cast(Table, StepRow.__table__)
_COLUMNS = tuple(field.name for field in fields(StepRecord))


def add(session: Session, submissions: Sequence[UnderWay], senders: Sequence[Sender]) -> None:
    """Writes new submissions as they are by now, and what their projects have with them: nobody has seen these."""
    rows, granted, steps = [], set(), []
    for submission, sender in zip(submissions, senders, strict=True):
        rows.append(_row(submission, sender))
        granted |= {(sender.project, item) for item in submission.request.named if item}
        steps += [{"submission_id": submission.id, **_values(step)} for step in submission.steps.values()]
    _ADD(
        session,
        submissions=as_parameter(rows),
        granted=as_parameter({"project": project, "item": item} for project, item in granted),
        steps=as_parameter(steps),
    )


def lock(session: Session, submission_id: str) -> UnderWay | None:
    """The submission, which nobody else moves on before the transaction ends; None where it is at its end, or gone.

    Raises UsageError for one that another release made and this one cannot read.
    """
    row = session.execute(select(SUBMISSIONS).where(SUBMISSIONS.c.id == submission_id).with_for_update()).first()
    if row is None or row.state is not SubmissionState.ACTIVE:
        return None
    request, fresh = request_of(row)
    steps = {step.name: step for step in steps_of(session, submission_id)}
    return UnderWay(
        id=row.id, project=row.project, request=request, fresh=fresh, plan=plan(request), steps=steps, error=row.error
    )


def write(session: Session, submission: UnderWay, before: Sequence[StepRecord]) -> None:
    """Writes back what changed of a locked submission, whose steps were `before`."""
    for old, new in zip(before, submission.steps.values(), strict=True):
        if old != new:
            which = STEPS.c.submission_id == submission.id, STEPS.c.name == new.name
            changed = {name: getattr(new, name) for name in _COLUMNS if getattr(new, name) != getattr(old, name)}
            session.execute(update(STEPS).where(*which).values(changed))
    if submission.state is not SubmissionState.ACTIVE:
        ended = update(SUBMISSIONS).where(SUBMISSIONS.c.id == submission.id)
        session.execute(ended.values(state=submission.state, error=submission.error, finished=now()))


def steps_of(session: Session, submission_id: str) -> list[StepRecord]:
    """The steps of a submission, in the order of its plan."""
    wanted = select(*(STEPS.c[name] for name in _COLUMNS)).where(STEPS.c.submission_id == submission_id)
    return [
        StepRecord(**{**row, "kind": ActionKind(row["kind"]), "needs": tuple(row["needs"])})
        for row in session.execute(wanted.order_by(STEPS.c.position)).mappings()
    ]


def request_of(row: Row[Any]) -> tuple[SubmissionRequest, bool]:
    """What a submission's row asks for, and whether all of it is to be done again. Raises UsageError as `lock`."""
    data = dict(row.request)
    fresh = bool(data.pop("fresh", False))
    try:
        return SubmissionRequest.from_dict(data), fresh
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"submission {row.id} cannot be read",
            cause=f"{type(error).__name__}: {error}; another release of trtfarm made it",
            remedy="use that release, or submit again",
        ) from error


def copies(submission: UnderWay) -> list[StepRecord]:
    """The steps as they are now."""
    return [replace(step) for step in submission.steps.values()]


def _values(step: StepRecord) -> dict[str, Any]:
    values = {name: getattr(step, name) for name in _COLUMNS}
    return values | {name: None if values[name] is None else json_text(values[name]) for name in _JSON}


def _row(submission: UnderWay, sender: Sender) -> dict[str, Any]:
    return {
        "id": submission.id,
        "request": json_text(submission.request.as_dict() | {"fresh": submission.fresh}),
        "state": submission.state.value,
        "ended": submission.state is not SubmissionState.ACTIVE,
        "error": None if submission.error is None else json_text(submission.error),
        "project": sender.project,
        "created_by": sender.token,
        "idempotency_key": sender.idempotency_key,
        "asked": sender.asked,
    }


def _adding(dialect: str) -> list[Any]:
    """The statements of `add`, of any number of rows each."""
    new = many(dialect, "submissions", [*(SUBMISSIONS.c[name] for name in _TOLD), column("ended", Boolean)])
    finished = case((new.c.ended, now()), else_=None)
    told = [new.c[name] for name in _TOLD]
    steps = many(dialect, "steps", (STEPS.c[name] for name in ("submission_id", *_COLUMNS)))
    return [
        # Without a condition SQLite would take what follows for one of a join.
        insert(SUBMISSIONS).from_select([*_TOLD, "finished"], select(*told, finished).where(true())),
        granting(dialect),
        insert(STEPS).from_select(["submission_id", *_COLUMNS], select(*steps.c)),
    ]


_JSON = ("needs", "result", "error")
_TOLD = ("id", "request", "state", "error", "project", "created_by", "idempotency_key", "asked")
_ADD = Kept(_adding)
