"""Jobs for what a submission misses: one wish each, all in one go; each step waits for the job that it was given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import StepState
from trtfarm.jobs.wishes import Wish
from trtfarm.submissions.finding import Missing
from trtfarm.submissions.placement import need_of
from trtfarm.submissions.results import Completeness, find_all
from trtfarm.submissions.under_way import UnderWay


class OvertakenError(Exception):
    """What a job was asked for has been stored since it was looked for: the transaction is to be made once more."""


def ask_for_jobs(
    session: Session, jobs: JobManager, submission: UnderWay, missing: Sequence[Missing], complete: Completeness
) -> list[str]:
    """Gets the jobs of steps on their way; the ids of those that were made now.

    Raises OvertakenError.
    """
    wishes = {
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
    granted = jobs.submit_all(session, wishes.values())
    overtaken = [work.action for _, work in missing if granted[work.action.key].overtaken]
    if overtaken and not submission.fresh and find_all(session, overtaken, complete):
        raise OvertakenError
    for step, work in missing:
        record, job = submission.steps[step.name], granted[work.action.key]
        record.state, record.job_id = StepState.ACTIVE, job.job_id
        if job.quarantined:  # it would only cost more workers
            record.state, record.error = StepState.FAILED, job.error
    return [job.job_id for job in granted.values() if job.made]
