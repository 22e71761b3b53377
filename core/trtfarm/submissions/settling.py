"""Submissions whose last job has ended: they end with it, in the transaction that keeps its result.

Where anything follows from the end of a job (another step, a gate, a failure), the submission is moved on afterwards,
in a transaction of its own (`SubmissionManager.advance`): finished work never hangs on what comes after it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import literal, select, update
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.database.clock import now
from trtfarm.database.kept import Kept
from trtfarm.database.many import among, as_parameter, json_text, many
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.submissions.records import STEPS, SUBMISSIONS

_MET = frozenset({StepState.HIT, StepState.DONE})
#: Their results may fail the gate of a submission.
_GATED = frozenset({ActionKind.VERIFY.value, ActionKind.MEASURE.value})


def lock_waiting(session: Session, job_ids: Collection[str]) -> list[str]:
    """Locks the active submissions that want jobs, in the order of their ids; called before the jobs are locked."""
    return [found.id for found in _LOCK(session, job_ids=list(job_ids))]


def still_waiting(session: Session, job_ids: Collection[str]) -> list[str]:
    """The submissions that are to be moved on when jobs have ended, in the order of their ids."""
    # Which of them wait is seen here: PostgreSQL, asked for both, may look at all steps that wait for anything.
    found = _WAITING(session, job_ids=list(job_ids))
    return sorted({step.submission_id for step in found if step.state is StepState.ACTIVE})


def settle(session: Session, submission_ids: Collection[str], results: Mapping[str, dict[str, Any]]) -> None:
    """Takes in the results of jobs, by their ids, for those of locked submissions where nothing else follows."""
    if not submission_ids:
        return
    found: dict[str, list[Any]] = {}
    for step in _STEPS_OF(session, submission_ids=list(submission_ids)):
        found.setdefault(step.submission_id, []).append(step)
    quiet = {name: steps for name, steps in found.items() if all(_is_quiet(step, results) for step in steps)}
    done = [step for steps in quiet.values() for step in steps if _ends(step, results)]
    ended = [name for name, steps in quiet.items() if all(step.state in _MET or _ends(step, results) for step in steps)]
    if done:
        taken = [
            {"submission_id": step.submission_id, "name": step.name, "result": json_text(results[step.job_id])}
            for step in done
        ]
        _SETTLE(session, taken=as_parameter(taken), ended=ended)


def _ends(step: Any, results: Mapping[str, Any]) -> bool:
    return step.state is StepState.ACTIVE and step.job_id in results


def _is_quiet(step: Any, results: Mapping[str, Any]) -> bool:
    """Whether nothing has to be done for a step but to note the end of its job."""
    if _ends(step, results):
        return step.kind not in _GATED
    return step.state in _MET or step.state is StepState.ACTIVE


def _lock(dialect: str) -> list[Any]:
    wanted = select(STEPS.c.submission_id).where(among(dialect, STEPS.c.job_id, "job_ids"))
    active = SUBMISSIONS.c.id.in_(wanted), SUBMISSIONS.c.state == SubmissionState.ACTIVE
    return [select(SUBMISSIONS.c.id).where(*active).order_by(SUBMISSIONS.c.id).with_for_update()]


def _steps_of(dialect: str) -> list[Any]:
    columns = (STEPS.c[name] for name in ("submission_id", "name", "kind", "state", "job_id"))
    return [select(*columns).where(among(dialect, STEPS.c.submission_id, "submission_ids"))]


def _settle(dialect: str) -> list[Any]:
    taken = many(dialect, "taken", [STEPS.c[name] for name in ("submission_id", "name", "result")])
    which = STEPS.c.submission_id == taken.c.submission_id, STEPS.c.name == taken.c.name
    done = update(STEPS).where(*which).values(state=literal(StepState.DONE.value), result=taken.c.result)
    ended = update(SUBMISSIONS).where(among(dialect, SUBMISSIONS.c.id, "ended"))
    return [done, ended.values(state=literal(SubmissionState.DONE.value), finished=now())]


def _waiting(dialect: str) -> list[Any]:
    return [select(STEPS.c.submission_id, STEPS.c.state).where(among(dialect, STEPS.c.job_id, "job_ids"))]


_LOCK, _STEPS_OF, _SETTLE, _WAITING = Kept(_lock), Kept(_steps_of), Kept(_settle), Kept(_waiting)
