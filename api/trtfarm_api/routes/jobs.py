"""Jobs: lists, and all of one, with why it waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Request
from pydantic import BaseModel, Field

from trtfarm.actions import ActionKind
from trtfarm.errors import ForbiddenError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.tokens import Scope
from trtfarm.workers import list_workers, why_waiting
from trtfarm_api.access import Actor, FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class Retried(BaseModel):
    """A job that is queued again, and the submissions that go on with it."""

    job: Job
    submissions: list[str]


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


@router.post("/{job}/cancel")
def cancel(farm: FarmHere, actor: Submitter, job: Name, request: Request) -> JobDetails:
    """Ends a queued job, and asks the worker of a running one to stop; an ended one stays as it is."""
    found = _own(farm, actor, job)
    note(request, job=found.id)
    return details(farm, farm.cancel(found.id))


@router.post("/{job}/retry")
def retry(farm: FarmHere, actor: Submitter, job: Name, request: Request, later: BackgroundTasks) -> Retried:
    """Queues a job again that failed, was cancelled or quarantined; the submissions that it ended go on."""
    found = _own(farm, actor, job)
    note(request, job=found.id)
    queued, submissions = farm.retry(found.id)
    later.add_task(request.app.state.announce, farm, [queued.id])
    return Retried(job=queued, submissions=submissions)


def _own(farm: Farm, actor: Actor, name: str) -> Job:
    """Raises ForbiddenError for another project's job."""
    job = farm.job(name)
    if job.project != actor.project and not actor.allows(Scope.ADMIN):
        raise ForbiddenError(f"{job.id} belongs to another project", remedy="ask somebody of that project, or an admin")
    return job
