"""Jobs for what submissions miss: one wish each, all in one go; each step waits for the job that it was given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import StepState
from trtfarm.jobs.wishes import Granted, Wish
from trtfarm.submissions.finding import Missing
from trtfarm.submissions.placement import need_of
from trtfarm.submissions.results import Completeness, find_all
from trtfarm.submissions.under_way import StepRecord, UnderWay


class OvertakenError(Exception):
    """What a job was asked for has been stored since it was looked for: the transaction is to be made once more."""


class InCommonError(Exception):
    """Two submissions want the same job: they are to be made one after the other, so that the second one joins it."""


def ask_for_jobs(
    session: Session, jobs: JobManager, misses: Sequence[tuple[UnderWay, Sequence[Missing]]], complete: Completeness
) -> list[list[str]]:
    """Gets the jobs of steps on their way, all in one go; of each submission the ids of those that were made now.

    Raises OvertakenError, InCommonError.
    """
    wishes = [_wishes(session, submission, missing) for submission, missing in misses]
    wanted = {key: wish for some in wishes for key, wish in some.items()}
    if len(wanted) < sum(map(len, wishes)):
        raise InCommonError
    granted = jobs.submit_all(session, wanted.values())
    for submission, missing in misses:
        overtaken = [work.action for _, work in missing if granted[work.action.key].overtaken]
        if overtaken and not submission.fresh and find_all(session, overtaken, complete):
            raise OvertakenError
        for step, work in missing:
            _wait_for(submission.steps[step.name], granted[work.action.key])
    return [[granted[key].job_id for key in some if granted[key].made] for some in wishes]


def _wishes(session: Session, submission: UnderWay, missing: Sequence[Missing]) -> dict[str, Wish]:
    return {
        work.action.key: Wish(
            kind=work.action.kind.value,
            key=work.action.key,
            request={**work.request, "fields": dict(work.action.fields)},
            priority=submission.request.priority,
            project=submission.project,
            requires=need_of(session, submission.request, step).requires,
        )
        for step, work in missing
    }


def _wait_for(step: StepRecord, job: Granted) -> None:
    step.state, step.job_id = StepState.ACTIVE, job.job_id
    if job.quarantined:  # it would only cost more workers
        step.state, step.error = StepState.FAILED, job.error
