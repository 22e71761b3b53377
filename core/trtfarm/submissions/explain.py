"""Why a submission would or would not find its results: each step's key against what is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.actions import Action, ActionKind
from trtfarm.catalog.visibility import visible
from trtfarm.database.schema import JobRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.planning import Step, plan
from trtfarm.routing import Need
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.gates import gate_error
from trtfarm.submissions.placement import need_of
from trtfarm.submissions.resolve import resolve
from trtfarm.submissions.results import Completeness, find
from trtfarm.waiting import nobody, why_waiting
from trtfarm.workers import Worker

#: Done jobs of a kind that are compared, newest first.
_COMPARED = 500


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The stored result that is most alike: its job, and the fields that differ as (asked for, stored)."""

    job_id: str
    result: Mapping[str, Any] | None
    differs: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What would happen to one step.

    `key` is None while the step depends on another that has yet to run. A miss without `nearest` is the first of its
    kind; one whose `nearest` differs in nothing was stored once and is incomplete now, so it would be repaired.
    A hit without a result is `spared`: what the step serves is there already. `error` is why what was measured does not
    pass the accuracy gate; steps that need it would be `skipped`. `reuse` is what using the table for the step's target
    amounts to. Of a step that would run, `needs` is what its worker has to offer, `workers` are those that are ready
    and do, and `waits` is why nobody would do it now.
    """

    step: str
    hit: bool = False
    skipped: bool = False
    spared: bool = False
    key: str | None = None
    fields: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    nearest: Nearest | None = None
    reuse: str | None = None
    needs: Mapping[str, Any] | None = None
    workers: tuple[str, ...] = ()
    waits: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain(
    session: Session,
    request: SubmissionRequest,
    complete: Completeness,
    *,
    workers: Collection[Worker] = (),
    here: Callable[[Need], bool] = nobody,
    project: str | None = None,
) -> list[Explanation]:
    """Explains every step of a request without doing anything; `project` compares it with its own jobs alone.

    `here` says what this process would do itself.
    """
    results: dict[str, Mapping[str, Any]] = {}
    lost: set[str] = set()
    explanations = []
    steps = plan(request)
    early = _tables_there(session, request, steps, complete)
    for step in steps:
        if not lost.isdisjoint(step.needs):
            explained = Explanation(step=step.name, skipped=True)
        elif step.serves and early.issuperset(step.serves):
            explained = Explanation(step=step.name, hit=True, spared=True)
        elif any(need not in results for need in step.needs) and not step.known_early:
            explained = Explanation(step=step.name)
        else:
            explained = _explained(session, request, step, results, complete, project=project)
        if explained.skipped or explained.error:
            lost.add(step.name)
        elif explained.result is not None:
            results[step.name] = explained.result
        if not (explained.hit or explained.skipped) and step.kind is not ActionKind.CHOOSE:
            explained = _placed(explained, need_of(session, request, step), workers, here)
        explanations.append(explained)
    return explanations


def _placed(
    explained: Explanation, need: Need, workers: Collection[Worker], here: Callable[[Need], bool]
) -> Explanation:
    return replace(
        explained,
        needs={"capability": need.capability, **asdict(need.requires)},
        workers=tuple(worker.id for worker in workers if worker.ready and worker.does(need)),
        waits=None if here(need) else why_waiting(need, workers),
    )


def _tables_there(
    session: Session, request: SubmissionRequest, steps: Iterable[Step], complete: Completeness
) -> set[str]:
    """The steps whose tables are there, so that no data has to be observed for them."""
    return {
        step.name
        for step in steps
        if step.known_early and find(session, resolve(session, request, step, {}).action, complete)
    }


def _explained(
    session: Session,
    request: SubmissionRequest,
    step: Step,
    results: Mapping[str, Mapping[str, Any]],
    complete: Completeness,
    *,
    project: str | None,
) -> Explanation:
    """A step whose key is known: its needs are all stored, or do not count in it."""
    work = resolve(session, request, step, results)
    action = work.action
    result = work.result or find(session, action, complete)
    error = gate_error(session, request, step.name, step.kind, result)
    return Explanation(
        step=step.name,
        hit=result is not None,
        key=action.key,
        fields=action.fields,
        result=result,
        error=error.as_dict() if error else None,
        nearest=None if result else nearest(session, action, project=project),
        reuse=work.request.get("reuse"),
    )


def nearest(
    session: Session, action: Action, *, before: Job | None = None, project: str | None = None
) -> Nearest | None:
    """The done job of the same kind that differs in the fewest fields, the newest of equals; older than `before`."""
    done = (
        select(JobRow.id, JobRow.request, JobRow.result)
        .where(JobRow.kind == action.kind.value, JobRow.state == JobState.DONE, *visible(JobRow, project))
        .order_by(JobRow.created.desc(), JobRow.id.desc())
        .limit(_COMPARED)
    )
    if before is not None:
        done = done.where(JobRow.created <= before.created, JobRow.id != before.id)
    found = [
        Nearest(job_id=job_id, result=result, differs=_differences(action.fields, request["fields"]))
        for job_id, request, result in session.execute(done)
    ]
    return min(found, key=lambda other: len(other.differs), default=None)


def _differences(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*asked, *stored])
    return {name: (asked.get(name), stored.get(name)) for name in names if asked.get(name) != stored.get(name)}
