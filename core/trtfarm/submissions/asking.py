"""Jobs for what a submission misses: one wish each, all in one go; each step waits for the job that it was given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import StepState
from trtfarm.jobs.wishes import Wish
from trtfarm.submissions.finding import Missing
from trtfarm.submissions.placement import need_of
from trtfarm.submissions.under_way import UnderWay


def ask_for_jobs(session: Session, jobs: JobManager, submission: UnderWay, missing: Sequence[Missing]) -> list[str]:
    """Gets the jobs of steps on their way; the ids of those that were made now."""
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
    for step, work in missing:
        record, job = submission.steps[step.name], granted[work.action.key]
        record.state, record.job_id = StepState.ACTIVE, job.job_id
        if job.quarantined:  # it would only cost more workers
            record.state, record.error = StepState.FAILED, job.error
    return [job.job_id for job in granted.values() if job.made]
