"""Lists of submissions, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.catalog.filters import named_so
from trtfarm.catalog.measured import measured_submissions
from trtfarm.catalog.visibility import visible
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.schema import ModelRow, SubmissionRow
from trtfarm.jobs.state import SubmissionState
from trtfarm.targets import BuildTarget


@dataclass(frozen=True, kw_only=True)
class SubmissionEntry:
    """What was asked for, in short; `model` is its name, or None if it is gone."""

    id: str
    project: str
    state: SubmissionState
    model_id: str
    model: str | None
    precision: str
    targets: list[str]
    created: datetime
    finished: datetime | None


def find_submissions(
    session: Session,
    *,
    state: SubmissionState | None = None,
    project: str | None = None,
    model: str | None = None,
    accuracy: AccuracyFilter = ANY_ACCURACY,
    limit: int,
    within: Window = EVERYTHING,
    seen_by: str | None = None,
) -> list[SubmissionEntry]:
    """Submissions in a state, of a project, of those that `seen_by` sees."""
    wanted = select(SubmissionRow).where(*visible(SubmissionRow, seen_by))
    if state is not None:
        wanted = wanted.where(SubmissionRow.state == state)
    if project is not None:
        wanted = wanted.where(SubmissionRow.project == project)
    if model is not None:
        asked: Any = SubmissionRow.request["model_id"].as_string()
        wanted = wanted.where(asked.in_(select(ModelRow.id).where(or_(*named_so(model)))))
    wanted = wanted.where(*measured_submissions(accuracy))
    rows = session.scalars(within.newest_first(wanted, SubmissionRow, limit=limit)).all()
    ids = {row.request["model_id"] for row in rows}
    named = session.execute(select(ModelRow.id, ModelRow.name).where(ModelRow.id.in_(ids)))
    names = dict(named.all())
    return [_entry(row, names.get(row.request["model_id"])) for row in rows]


def _entry(row: SubmissionRow, model: str | None) -> SubmissionEntry:
    request: dict[str, Any] = row.request
    return SubmissionEntry(
        id=row.id,
        project=row.project,
        state=row.state,
        model_id=request["model_id"],
        model=model,
        precision=request["precision"],
        targets=[str(BuildTarget(**target)) for target in request["targets"]],
        created=row.created,
        finished=row.finished,
    )
