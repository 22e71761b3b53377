"""Submissions: lists, and where one is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Header, Request, Response, status
from pydantic import BaseModel
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import SubmissionRow
from trtfarm.digests import digest_of_json
from trtfarm.farm import Farm
from trtfarm.jobs.state import SubmissionState
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.details import submission_details
from trtfarm.submissions.explain import explain
from trtfarm.submissions.facts import facts_of
from trtfarm.submissions.listing import SubmissionEntry, find_submissions
from trtfarm.submissions.placement import check_placed
from trtfarm.submissions.submission import KEY_PATTERN, LONGEST_KEY, Sender
from trtfarm.workers import list_workers
from trtfarm_api.access import Actor, FarmHere, Reader, Submitter
from trtfarm_api.accuracies import ByAccuracy
from trtfarm_api.asking import Asked
from trtfarm_api.auditing import note
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text
from trtfarm_api.service import service_of
from trtfarm_api.streams import seen_of_submission, stream, submission_stream
from trtfarm_api.submission_request import request_of
from trtfarm_api.views import SubmissionView

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])


class Plan(BaseModel):
    """What each step of a submission would find or do."""

    steps: list[dict[str, Any]]


class Gone(BaseModel):
    """A submission as it is now, and the ids of the jobs that it had waited for.

    `withdrawn` were queued and are no more, `stopping` run and are asked to stop, `left` go on because other
    submissions wait for them.
    """

    submission: SubmissionView
    withdrawn: list[str]
    stopping: list[str]
    left: list[str]


@router.get("")
def submissions(
    *,
    farm: FarmHere,
    actor: Reader,
    paging: InPages,
    accuracy: ByAccuracy,
    state: SubmissionState | None = None,
    project: Text = None,
    model: Text = None,
) -> Page[SubmissionEntry]:
    """Submissions, newest first; accuracy is that of something that they made."""
    words: dict[str, Any] = {"state": state, "project": project, "model": model}
    filters = {**words, **vars(accuracy)}
    with farm.database.read() as session:
        window = paging.window("submissions", filters)
        found = find_submissions(
            session, **words, accuracy=accuracy, limit=paging.wanted, within=window, seen_by=actor.sees
        )
    return paging.page("submissions", filters, found, found)


@router.get("/{submission}")
def submission(farm: FarmHere, actor: Reader, submission: Name) -> SubmissionView:
    """A submission, and where each of its steps is."""
    with farm.database.read() as session:
        submission_id = find_one(session, SubmissionRow, submission, actor.sees).id
    return SubmissionView.of(farm.submissions.get(submission_id))


@router.get("/{submission}/facts")
def facts(farm: FarmHere, actor: Reader, submission: Name) -> dict[str, Any]:
    """What became of a submission: its table, engines and accuracy, as `trtfarm submit --json` tells it."""
    with farm.database.read() as session:
        found = farm.submissions.get(find_one(session, SubmissionRow, submission, actor.sees).id)
        return facts_of(session, found, actor.sees)


@router.get("/{submission}/details")
def details(farm: FarmHere, actor: Reader, submission: Name) -> dict[str, Any]:
    """What was asked for, what became of each target, and which job did each step when."""
    with farm.database.read() as session:
        found = farm.submissions.get(find_one(session, SubmissionRow, submission, actor.sees).id)
        return submission_details(session, found, actor.sees)


@router.get("/{submission}/events", response_class=EventSourceResponse)
def events(
    farm: FarmHere,
    actor: Reader,
    submission: Name,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=60_000)] = None,
) -> EventSourceResponse:
    """What happens to a submission, as server-sent events, to be gone on with by Last-Event-ID.

    `submission` with all of it, at first and with each change; `job` for each event of its jobs; `end`, the last.
    """
    seen = seen_of_submission(last_event_id)
    with farm.database.read() as session:
        submission_id = find_one(session, SubmissionRow, submission, actor.sees).id
    return stream(submission_stream(farm, request.app.state.changes, submission_id, seen))


@router.post("/{submission}/cancel")
def cancel(farm: FarmHere, actor: Submitter, submission: Name, request: Request) -> Gone:
    """Ends a submission, and its jobs as far as nobody else wants them; one that has ended stays as it is."""
    with farm.database.read() as session:
        submission_id = find_one(session, SubmissionRow, submission, actor.sees).id
    note(request, submission=submission_id)
    gone = farm.cancel_submission(submission_id)
    jobs = {name: list(getattr(gone, name)) for name in ("withdrawn", "stopping", "left")}
    return Gone(submission=SubmissionView.of(farm.submissions.get(submission_id)), **jobs)


@router.post("/plan")
def plan(farm: FarmHere, actor: Submitter, request: Request, asked: Asked) -> Plan:
    """What would happen, without doing anything: what is stored already, and what differs where it is not."""
    with farm.database.read() as session:
        wanted = _placed(farm, session, request_of(session, asked, service_of(request).choose, actor.sees))
        found = explain(
            session, wanted, farm.complete, workers=list_workers(farm.database, left=True), project=actor.sees
        )
    return Plan(steps=[explanation.as_dict() for explanation in found])


@router.post("", status_code=status.HTTP_201_CREATED, responses={200: {"model": SubmissionView}})
def submit(
    *,
    farm: FarmHere,
    actor: Submitter,
    request: Request,
    response: Response,
    later: BackgroundTasks,
    asked: Asked,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=LONGEST_KEY, pattern=KEY_PATTERN, description="The same request under the same key is made once."
        ),
    ] = None,
) -> SubmissionView:
    """Calibrates, builds and verifies. What was done before is found again; 200 where all was sent before."""
    sender = _sender(actor, asked, idempotency_key)
    known = farm.sent_before(sender)
    if known is None:
        with farm.database.read() as session:
            wanted = _placed(farm, session, request_of(session, asked, service_of(request).choose, actor.sees))
        submission_id, queued = farm.submit(wanted, fresh=asked.fresh, sender=sender)
        later.add_task(service_of(request).announce, farm, queued)
    else:
        submission_id, response.status_code = known, status.HTTP_200_OK
    note(request, submission=submission_id)
    response.headers["Location"] = f"/v1/submissions/{submission_id}"
    return SubmissionView.of(farm.submissions.get(submission_id))


def _placed(farm: Farm, session: Session, wanted: SubmissionRequest) -> SubmissionRequest:
    """The request. Raises NoWorkerError where nobody that was up within a day could take one of its jobs."""
    check_placed(session, wanted, lambda: list_workers(farm.database, left=True))
    return wanted


def _sender(actor: Actor, asked: Asked, idempotency_key: str | None) -> Sender:
    return Sender(
        project=actor.project,
        token=actor.token.id if actor.token else None,
        idempotency_key=idempotency_key,
        asked=digest_of_json(asked.model_dump(mode="json")),
    )
