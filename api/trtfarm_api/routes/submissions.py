"""Submissions: lists, and where one is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import SubmissionRow
from trtfarm.jobs.state import SubmissionState
from trtfarm.submissions.listing import SubmissionEntry, find_submissions
from trtfarm.submissions.submission import StepStatus, Submission
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])


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


@router.get("")
def submissions(
    farm: FarmHere, _actor: Reader, paging: InPages, state: SubmissionState | None = None, project: Text = None
) -> Page[SubmissionEntry]:
    """Submissions, newest first."""
    filters = {"state": state, "project": project}
    with farm.database.read() as session:
        window = paging.window("submissions", filters)
        found = find_submissions(session, state=state, project=project, limit=paging.wanted, within=window)
    return paging.page("submissions", filters, found, found)


@router.get("/{submission}")
def submission(farm: FarmHere, _actor: Reader, submission: Name) -> SubmissionView:
    """A submission, and where each of its steps is."""
    with farm.database.read() as session:
        submission_id = find_one(session, SubmissionRow, submission).id
    return SubmissionView.of(farm.submissions.get(submission_id))
