"""Values of the farm in the form that clients get them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from trtfarm.jobs.job import Job
from trtfarm.jobs.state import SubmissionState
from trtfarm.submissions.submission import StepStatus, Submission


def seen_by(project: str | None, job: Job) -> Job:
    """A job as its own to a project that sees it: which other one has it in its queue is nobody's business."""
    return job if project is None else replace(job, project=project)


class SubmissionView(BaseModel):
    """A submission; `request` is all that was asked for, with every default filled in."""

    id: str
    project: str
    created_by: str | None
    state: SubmissionState
    created: datetime
    finished: datetime | None
    hit: bool
    steps: list[StepStatus]
    request: dict[str, Any]

    @classmethod
    def of(cls, submission: Submission) -> SubmissionView:
        return cls(
            id=submission.id,
            project=submission.project,
            created_by=submission.created_by,
            state=submission.state,
            created=submission.created,
            finished=submission.finished,
            hit=submission.hit,
            steps=list(submission.steps),
            request=submission.request.as_dict(),
        )
