"""Everything about one submission, for a person or a program that asks for it by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.catalog.search import engine_entry, warnings_of
from trtfarm.database.schema import EngineRow, JobRow, ModelRow, StepRow, TableRow
from trtfarm.jobs.state import StepState
from trtfarm.submissions.submission import Submission
from trtfarm.targets import BuildTarget

Facts = dict[str, Any]


def submission_details(session: Session, submission: Submission, project: str | None = None) -> Facts:
    """What was asked for, what became of each target, and which job did each step when.

    Times are in ISO 8601, `seconds` those that a job, or all of it, took. What was removed since is None: `model`, and
    `engine` of a target, whose `engine_id` stays.
    """
    model = session.get(ModelRow, submission.request.model_id)
    table = session.get(TableRow, submission.table_id) if submission.table_id else None
    found = select(StepRow, JobRow).outerjoin(JobRow, JobRow.id == StepRow.job_id)
    found = found.where(StepRow.submission_id == submission.id).order_by(StepRow.position)
    rows = [(step, job) for step, job in session.execute(found)]
    steps = {step.name: step for step, _ in rows}
    return {
        "id": submission.id,
        "project": submission.project,
        "created_by": submission.created_by,
        "state": submission.state.value,
        "hit": submission.hit,
        **_times(submission.created, submission.created, submission.finished),
        "model": {"id": model.id, "name": model.name, "digest": model.digest} if model else None,
        "precision": submission.request.precision,
        "table": submission.table_id,
        "warnings": warnings_of(table) if table else [],
        "targets": [_target(session, steps, target, project) for target in submission.request.targets],
        "steps": [_step(step, job) for step, job in rows],
        "request": submission.request.as_dict(),
    }


def _target(session: Session, steps: Mapping[str, StepRow], target: BuildTarget, project: str | None) -> Facts:
    step = steps[f"build {target}"]
    engine_id = (step.result or {}).get("engine_id")
    engine = session.get(EngineRow, engine_id) if engine_id else None
    return {
        **vars(target),
        "state": step.state.value,
        "engine_id": engine_id,
        "engine": engine_entry(session, engine, project).as_dict() if engine else None,
        "error": step.error,
        "because": _failed_before(steps, step) if step.state is StepState.SKIPPED else [],
    }


def _failed_before(steps: Mapping[str, StepRow], step: StepRow) -> Sequence[str]:
    """The names of the steps that failed, or were stopped, and that it would have needed."""
    ended = {StepState.FAILED, StepState.CANCELLED}
    causes: dict[str, None] = {}
    for need in (steps[name] for name in step.needs):
        causes |= dict.fromkeys([need.name] if need.state in ended else _failed_before(steps, need))
    return list(causes)


def _step(step: StepRow, job: JobRow | None) -> Facts:
    """A step with the last attempt of its job; one whose result was there has none."""
    return {
        "name": step.name,
        "kind": step.kind,
        "state": step.state.value,
        "job": step.job_id,
        "attempt": job.attempt if job else None,
        **_times(job.created if job else None, job.started if job else None, job.finished if job else None),
        "result": step.result,
        "error": step.error,
    }


def _times(created: datetime | None, started: datetime | None, finished: datetime | None) -> Facts:
    """When something was wanted, begun and done; a submission is begun when it is wanted."""
    told = {"created": created, "started": started, "finished": finished}
    seconds = (finished - started).total_seconds() if started and finished else None
    return {name: time.isoformat() if time else None for name, time in told.items()} | {"seconds": seconds}
