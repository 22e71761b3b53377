"""Values of the farm in the form that clients get them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from trtfarm.jobs.state import SubmissionState
from trtfarm.submissions.submission import StepStatus, Submission


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
