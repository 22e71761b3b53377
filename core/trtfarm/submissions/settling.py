"""Submissions whose last job has ended: they end with it, in the transaction that keeps its result.

Where anything follows from the end of a job (another step, a gate, a failure), the submission is moved on afterwards,
in a transaction of its own (`SubmissionManager.advance`): finished work never hangs on what comes after it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, select, update
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.database.clock import now
from trtfarm.database.work import StepRow, SubmissionRow
from trtfarm.jobs.state import StepState, SubmissionState

_STEPS, _SUBMISSIONS = cast(Table, StepRow.__table__), cast(Table, SubmissionRow.__table__)
_MET = frozenset({StepState.HIT, StepState.DONE})
#: Their results may fail the gate of a submission.
_GATED = frozenset({ActionKind.VERIFY.value, ActionKind.MEASURE.value})


def lock_waiting(session: Session, job_ids: Collection[str]) -> list[str]:
    """Locks the active submissions that want jobs, in the order of their ids; called before the jobs are locked."""
    wanted = select(_STEPS.c.submission_id).where(_STEPS.c.job_id.in_(job_ids))
    active = select(_SUBMISSIONS.c.id).where(
        _SUBMISSIONS.c.id.in_(wanted), _SUBMISSIONS.c.state == SubmissionState.ACTIVE
    )
    return list(session.scalars(active.order_by(_SUBMISSIONS.c.id).with_for_update()))


def settle(session: Session, submission_ids: Collection[str], results: Mapping[str, dict[str, Any]]) -> None:
    """Takes in the results of jobs, by their ids, for those of locked submissions where nothing else follows."""
    if not submission_ids:
        return
    columns = (_STEPS.c[name] for name in ("submission_id", "name", "kind", "state", "job_id"))
    found: dict[str, list[Row[Any]]] = {}
    for step in session.execute(select(*columns).where(_STEPS.c.submission_id.in_(submission_ids))):
        found.setdefault(step.submission_id, []).append(step)
    quiet = {name: steps for name, steps in found.items() if all(_is_quiet(step, results) for step in steps)}
    done = [step for steps in quiet.values() for step in steps if _ends(step, results)]
    ended = [name for name, steps in quiet.items() if all(step.state in _MET or _ends(step, results) for step in steps)]
    _write(session, done, ended, results)


def _ends(step: Row[Any], results: Mapping[str, Any]) -> bool:
    return step.state is StepState.ACTIVE and step.job_id in results


def _is_quiet(step: Row[Any], results: Mapping[str, Any]) -> bool:
    """Whether nothing has to be done for a step but to note the end of its job."""
    if _ends(step, results):
        return step.kind not in _GATED
    return step.state in _MET or step.state is StepState.ACTIVE


def _write(
    session: Session, done: Sequence[Row[Any]], ended: Sequence[str], results: Mapping[str, dict[str, Any]]
) -> None:
    if done:
        which = _STEPS.c.submission_id == bindparam("of"), _STEPS.c.name == bindparam("step")
        taken = (
            update(_STEPS)
            .where(*which)
            .values(state=StepState.DONE, result=bindparam("found", type_=_STEPS.c.result.type))
        )
        found = [{"of": step.submission_id, "step": step.name, "found": results[step.job_id]} for step in done]
        session.connection().execute(taken, found)
    if ended:
        end = update(_SUBMISSIONS).where(_SUBMISSIONS.c.id.in_(ended))
        session.connection().execute(end.values(state=SubmissionState.DONE, finished=now()))
