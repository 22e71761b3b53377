"""Jobs: lists, and all of one, with why it waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from trtfarm.actions import ActionKind
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.workers import list_workers, why_waiting
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobDetails(BaseModel):
    """A job, and why nobody does it where it is queued and nobody will."""

    job: Job
    waiting: Annotated[str | None, Field(description="Why no worker takes it.")]


@router.get("")
def jobs(
    *,
    farm: FarmHere,
    _actor: Reader,
    paging: InPages,
    state: JobState | None = None,
    kind: ActionKind | None = None,
    worker: Text = None,
) -> Page[Job]:
    """Jobs, newest first; `worker` is the id of who runs or ran them."""
    filters = {"state": state, "kind": kind, "worker": worker}
    found = list_jobs(
        farm.database,
        state=state,
        kind=kind.value if kind else None,
        owner=worker,
        limit=paging.wanted,
        within=paging.window("jobs", filters),
    )
    return paging.page("jobs", filters, found, found)


@router.get("/{job}")
def job(farm: FarmHere, _actor: Reader, job: Name) -> JobDetails:
    """A job, and why it waits."""
    return details(farm, farm.job(job))


def details(farm: Farm, job: Job) -> JobDetails:
    waits = job.state is JobState.QUEUED
    return JobDetails(job=job, waiting=why_waiting(job.capability, list_workers(farm.database)) if waits else None)
