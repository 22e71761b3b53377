"""Streams of events: what happens to a job, or to a submission and all its jobs, until its end.

A stream that breaks is gone on with by Last-Event-ID. That of a job is its last event's id. A submission's says it for
each of its jobs, because ids of different jobs do not become visible in their order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import anyio
import anyio.to_thread
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent

from trtfarm.errors import UsageError
from trtfarm.farm import Farm
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.state import SubmissionState
from trtfarm_api.changes import Changes, Follower
from trtfarm_api.views import SubmissionView, seen_by

_EVENT, _JOB = TypeAdapter(Event), TypeAdapter(Job)
_PING_SECONDS = 15
#: Events read at once.
_PAGE = 500
_OF_JOB = re.compile(r"\d{1,18}")
_OF_SUBMISSION = re.compile(r"(?:job_\w{1,36}:\d{1,18})(?:,job_\w{1,36}:\d{1,18}){0,999}")

Seen = Mapping[str, int]


def stream(events: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    return EventSourceResponse(events, ping=_PING_SECONDS, headers={"X-Accel-Buffering": "no"})


def seen_of_job(last_event_id: str | None, after: int) -> int:
    """The last event that a client has seen. Raises UsageError."""
    if last_event_id is None:
        return after
    if not _OF_JOB.fullmatch(last_event_id):
        raise _unfit(last_event_id)
    return int(last_event_id)


def seen_of_submission(last_event_id: str | None) -> dict[str, int]:
    """The last event that a client has seen of each job. Raises UsageError."""
    if last_event_id is None:
        return {}
    if not _OF_SUBMISSION.fullmatch(last_event_id):
        raise _unfit(last_event_id)
    pairs = (pair.split(":") for pair in last_event_id.split(","))
    return {job: int(event) for job, event in pairs}


async def job_stream(
    farm: Farm, changes: Changes, job_id: str, after: int, project: str | None = None
) -> AsyncIterator[ServerSentEvent]:
    """`job` for each event of a job after an id, and `end` with the job as it ended, as a project sees it."""
    with changes.follower() as follower:
        follower.jobs.add(job_id)
        while True:
            follower.changed = anyio.Event()
            # Before its events: those of its end are then among them.
            job = await anyio.to_thread.run_sync(farm.jobs.get, job_id)
            while page := await _events(farm, job_id, after):
                for event in page:
                    after = event.id
                    yield _sent("job", _EVENT.dump_json(event), str(after))
            if not job.state.live:
                yield _sent("end", _JOB.dump_json(seen_by(project, job)), str(after))
                return
            await follower.changed.wait()


async def submission_stream(
    farm: Farm, changes: Changes, submission_id: str, seen: Seen
) -> AsyncIterator[ServerSentEvent]:
    """`submission` at first and with each change, `job` for each event of its jobs, and `end` with it as it ended."""
    told, shown = dict(seen), ""
    with changes.follower(submission_id) as follower:
        while True:
            follower.changed = anyio.Event()
            view = SubmissionView.of(await anyio.to_thread.run_sync(farm.submissions.get, submission_id))
            async for event in _of_jobs(farm, follower, view, told):
                yield event
            text = view.model_dump_json()
            if view.state is not SubmissionState.ACTIVE:
                yield _sent("end", text, _vector(told))
                return
            if text != shown:
                shown = text
                yield _sent("submission", text, _vector(told))
            await follower.changed.wait()


async def _of_jobs(
    farm: Farm, follower: Follower, view: SubmissionView, told: dict[str, int]
) -> AsyncIterator[ServerSentEvent]:
    """What the submission's jobs have told since; notes in `told` how far that is."""
    follower.jobs = {step.job_id for step in view.steps if step.job_id}
    for job_id in dict.fromkeys(step.job_id for step in view.steps if step.job_id):
        while page := await _events(farm, job_id, told.get(job_id, 0)):
            for event in page:
                told[job_id] = event.id
                yield _sent("job", _EVENT.dump_json(event), _vector(told))


async def _events(farm: Farm, job_id: str, after: int) -> list[Event]:
    return await anyio.to_thread.run_sync(events_since, farm.database, job_id, after, _PAGE)


def _vector(told: Seen) -> str | None:
    return ",".join(f"{job}:{event}" for job, event in told.items()) or None


def _sent(kind: str, data: bytes | str, event_id: str | None) -> ServerSentEvent:
    text = data.decode() if isinstance(data, bytes) else data
    return ServerSentEvent(text, event=kind, id=event_id, sep="\n")


def _unfit(last_event_id: str) -> UsageError:
    return UsageError(
        f"{last_event_id[:80]!r} is no event of this stream", remedy="send the id of its last event, or none"
    )
