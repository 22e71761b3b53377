"""Jobs: lists, and all of one, with why it waits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse

from trtfarm.actions import Action, ActionKind
from trtfarm.catalog.visibility import visible
from trtfarm.database.schema import SubmissionRow
from trtfarm.errors import ForbiddenError
from trtfarm.farm import Farm
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.submissions.cancelling import projects_waiting_for
from trtfarm.submissions.explain import Nearest, nearest
from trtfarm.waiting import why_job_waits
from trtfarm_api.access import Actor, FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text
from trtfarm_api.service import service_of
from trtfarm_api.streams import job_stream, seen_of_job, stream
from trtfarm_api.views import seen_by

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_STREAM = "text/event-stream"


class Retried(BaseModel):
    """A job that is queued again, and the submissions that go on with it."""

    job: Job
    submissions: list[str]


class JobDetails(BaseModel):
    """A job, and why nobody does it where it is queued and nobody will."""

    job: Job
    waiting: Annotated[str | None, Field(description="Why no worker takes it.")]


class Events(BaseModel):
    """Part of a job's history, oldest first."""

    items: list[Event]


class Explained(BaseModel):
    """Why a job ran: the stored result that is most alike, and the fields that differ as (asked for, stored)."""

    job: str
    kind: str
    state: JobState
    key: str
    fields: dict[str, Any]
    nearest: Nearest | None
    waits: Annotated[str | None, Field(description="Why no worker takes it, where it is queued.")]


@router.get("")
def jobs(
    *,
    farm: FarmHere,
    actor: Reader,
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
        project=actor.sees,
    )
    return paging.page("jobs", filters, found, [seen_by(actor.sees, job) for job in found])


@router.get("/{job}")
def job(farm: FarmHere, actor: Reader, job: Name) -> JobDetails:
    """A job, and why it waits."""
    return details(farm, actor, farm.job(job, actor.sees))


def details(farm: Farm, actor: Actor, job: Job) -> JobDetails:
    return JobDetails(job=seen_by(actor.sees, job), waiting=why_job_waits(farm.database, job))


@router.get(
    "/{job}/events",
    response_model=Events,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def events(
    *,
    farm: FarmHere,
    actor: Reader,
    job: Name,
    request: Request,
    after: Annotated[int, Query(ge=0, le=1 << 62, description="Only events with greater ids.")] = 0,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Events | EventSourceResponse:
    """A job's history: states, progress and what its builder said.

    With `Accept: text/event-stream` as server-sent events until its end, `job` for each event and `end` with the job,
    to be gone on with by Last-Event-ID; else as JSON, up to 1,000 events.
    """
    found, seen = farm.job(job, actor.sees), seen_of_job(last_event_id, after)
    if _STREAM in accept:
        return stream(job_stream(farm, request.app.state.changes, found.id, seen, actor.sees))
    return Events(items=events_since(farm.database, found.id, seen))


@router.get("/{job}/explanation")
def explanation(farm: FarmHere, actor: Reader, job: Name) -> Explained:
    """Which fields of a job's key differ from the nearest result that was stored, so that it was no hit."""
    found = farm.job(job, actor.sees)
    action = Action(ActionKind(found.kind), found.request["fields"])
    with farm.database.read() as session:
        alike = nearest(session, action, before=found, project=actor.sees)
    return Explained(
        job=found.id,
        kind=found.kind,
        state=found.state,
        key=found.key,
        fields=dict(action.fields),
        nearest=alike,
        waits=why_job_waits(farm.database, found),
    )


@router.post("/{job}/cancel")
def cancel(farm: FarmHere, actor: Submitter, job: Name, request: Request) -> JobDetails:
    """Ends a queued job, and asks the worker of a running one to stop; an ended one stays as it is.

    All submissions that wait for it lose it; so one that another project waits for, too, is not to be cancelled.
    """
    found = farm.job(job, actor.sees)
    note(request, job=found.id)
    with farm.database.read() as session:
        if _shared(session, actor, found):
            raise ForbiddenError(
                f"another project waits for {found.id}, too", remedy="cancel the submission: trtfarm submissions cancel"
            )
    return details(farm, actor, farm.cancel(found.id))


@router.post("/{job}/retry")
def retry(farm: FarmHere, actor: Submitter, job: Name, request: Request, later: BackgroundTasks) -> Retried:
    """Queues a job again that failed, was cancelled or quarantined; the submissions that it ended go on."""
    found = farm.job(job, actor.sees)
    note(request, job=found.id)
    queued, submissions = farm.retry(found.id)
    later.add_task(service_of(request).announce, farm, [queued.id])
    with farm.database.read() as session:
        seen = select(SubmissionRow.id).where(SubmissionRow.id.in_(submissions), *visible(SubmissionRow, actor.sees))
        mine = set(session.scalars(seen))
    return Retried(job=seen_by(actor.sees, queued), submissions=[one for one in submissions if one in mine])


def _shared(session: Session, actor: Actor, job: Job) -> bool:
    """Whether submissions of projects that the actor does not see wait for a job."""
    return actor.sees is not None and bool(set(projects_waiting_for(session, job.id)) - {actor.sees})
