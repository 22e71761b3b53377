"""What a submission needs and is there already: its steps take those results, and the others are left to be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from trtfarm.errors import TrtfarmError
from trtfarm.jobs.state import StepState
from trtfarm.planning import Step
from trtfarm.submissions.gates import gate_error
from trtfarm.submissions.resolve import resolve
from trtfarm.submissions.results import ALSO, Completeness, find_all
from trtfarm.submissions.under_way import MET, StepRecord, UnderWay
from trtfarm.submissions.works.work import Work

#: A step with what is to be done for it.
Missing = tuple[Step, Work]


def find_results(session: Session, submission: UnderWay, complete: Completeness) -> list[Missing]:
    """Takes what is stored, step after step as their needs are met; returns what is to be done for the others."""
    if not submission.fresh:
        _find_early(session, submission, complete)
    missing: list[Missing] = []
    while ready := _ready(submission, missing):
        missing += _find(session, submission, ready, complete)
    return missing


def apply_gate(session: Session, submission: UnderWay, step: StepRecord) -> None:
    """Fails a step that verified, or measured an engine, and found more lost than the submission allows."""
    error = gate_error(session, submission.request, step.name, step.kind, step.result)
    if error is not None:
        step.state, step.error = StepState.FAILED, error.as_dict()


def _find_early(session: Session, submission: UnderWay, complete: Completeness) -> None:
    """Looks for tables before the data was observed for them: where all are there, nobody needs to."""
    states = {step.name: step.state for step in submission.steps.values()}
    early = [step for step in submission.plan if step.known_early and states[step.name] is StepState.PENDING]
    if early:
        _find(session, submission, early, complete)
    _spare(submission)


def _ready(submission: UnderWay, missing: Collection[Missing]) -> list[Step]:
    """The steps that wait for nothing and were not looked up yet."""
    known, steps = {step.name for step, _ in missing}, submission.steps
    return [
        step
        for step in submission.plan
        if steps[step.name].state is StepState.PENDING
        and step.name not in known
        and all(steps[name].state in MET for name in step.needs)
    ]


def _find(session: Session, submission: UnderWay, steps: Iterable[Step], complete: Completeness) -> list[Missing]:
    """The same for some steps whose needs are met, or whose keys are known without them."""
    works = [(step, work) for step in steps if (work := _resolved(session, submission, step)) is not None]
    done = _done_by(submission.steps.values()) if submission.fresh else set()
    looked_up = [work.action for _, work in works if not submission.fresh or work.action.key in done]
    stored = find_all(session, looked_up, complete)
    missing = []
    for step, work in works:
        record = submission.steps[step.name]
        result = dict(work.result) if work.result else stored.get(work.action.key)
        if result is None:
            missing.append((step, work))
        else:
            record.state, record.result = StepState.HIT, result
            apply_gate(session, submission, record)
    return missing


def _resolved(session: Session, submission: UnderWay, step: Step) -> Work | None:
    """What the step stands for now that its needs are met; None where that cannot be told, and the step has failed."""
    record = submission.steps[step.name]
    results = {name: other.result or {} for name, other in submission.steps.items()}
    try:
        work = resolve(session, submission.request, step, results)
    except TrtfarmError as error:
        record.state, record.error = StepState.FAILED, error.as_dict()
        return None
    record.key = work.action.key
    return work


def _done_by(steps: Iterable[StepRecord]) -> set[str | None]:
    """Keys of what a submission itself has done, which is fresh."""
    done = [step for step in steps if step.state is StepState.DONE]
    return {key for step in done for key in (step.key, (step.result or {}).get(ALSO))}


def _spare(submission: UnderWay) -> None:
    """Lets observations be that serve nothing any more, and takes those back that have to be made after all.

    What was spared is a hit that gave nothing.
    """
    for step in filter(lambda step: step.serves, submission.plan):
        record = submission.steps[step.name]
        needless = all(submission.steps[name].state in MET for name in step.serves)
        if needless and record.state is StepState.PENDING:
            record.state, record.result = StepState.HIT, {}
        elif not needless and record.state is StepState.HIT and not record.result:
            record.state, record.result = StepState.PENDING, None
