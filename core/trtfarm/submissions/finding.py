"""What submissions need and is there already: their steps take those results, and the others are left to be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.actions import Action
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


def find_results(session: Session, submissions: Sequence[UnderWay], complete: Completeness) -> list[list[Missing]]:
    """Takes what is stored, step after step as their needs are met; returns of each what is to be done for the others.

    What is looked for at the same time is one statement, however many submissions there are.
    """
    _find_early(session, [submission for submission in submissions if not submission.fresh], complete)
    missing: list[list[Missing]] = [[] for _ in submissions]
    while any(ready := list(map(_ready, submissions, missing))):
        for so_far, found in zip(missing, _find(session, submissions, ready, complete), strict=True):
            so_far.extend(found)
    return missing


def apply_gate(session: Session, submission: UnderWay, step: StepRecord) -> None:
    """Fails a step that verified, or measured an engine, and found more lost than the submission allows."""
    error = gate_error(session, submission.request, step.name, step.kind, step.result)
    if error is not None:
        step.state, step.error = StepState.FAILED, error.as_dict()


def _find_early(session: Session, submissions: Sequence[UnderWay], complete: Completeness) -> None:
    """Looks for tables before the data was observed for them: where all are there, nobody needs to."""
    early = list(map(_early, submissions))
    if any(early):
        _find(session, submissions, early, complete)
    for submission in submissions:
        _spare(submission)


def _early(submission: UnderWay) -> list[Step]:
    steps = submission.steps
    return [step for step in submission.plan if step.known_early and steps[step.name].state is StepState.PENDING]


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


def _find(
    session: Session, submissions: Sequence[UnderWay], asked: Sequence[Iterable[Step]], complete: Completeness
) -> list[list[Missing]]:
    """The same for some steps of each whose needs are met, or whose keys are known without them."""
    works = [_works(session, submission, steps) for submission, steps in zip(submissions, asked, strict=True)]
    looked_up = [_looked_up(submission, some) for submission, some in zip(submissions, works, strict=True)]
    stored = find_all(session, [action for actions in looked_up for action in actions.values()], complete)
    missing = []
    for submission, some, actions in zip(submissions, works, looked_up, strict=True):
        results = {key: stored[key] for key in actions if key in stored}
        missing.append([miss for miss in some if not _taken(session, submission, miss, results)])
    return missing


def _works(session: Session, submission: UnderWay, steps: Iterable[Step]) -> list[Missing]:
    return [(step, work) for step in steps if (work := _resolved(session, submission, step)) is not None]


def _looked_up(submission: UnderWay, works: Iterable[Missing]) -> dict[str, Action]:
    """What may be stored, by key: of a submission that is fresh, what it has done itself."""
    done = _done_by(submission.steps.values()) if submission.fresh else set()
    actions = (work.action for _, work in works)
    return {action.key: action for action in actions if not submission.fresh or action.key in done}


def _taken(session: Session, submission: UnderWay, miss: Missing, stored: Mapping[str, dict[str, Any]]) -> bool:
    """Gives a step its result, where there is one."""
    step, work = miss
    result = dict(work.result) if work.result else stored.get(work.action.key)
    if result is None:
        return False
    record = submission.steps[step.name]
    record.state, record.result = StepState.HIT, result
    apply_gate(session, submission, record)
    return True


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
