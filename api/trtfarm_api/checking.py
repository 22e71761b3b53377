"""An engine that is held to FP32 by the farm's workers, told as server-sent events until it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio.to_thread
from sse_starlette import ServerSentEvent
from starlette.requests import Request

from trtfarm.actions import ActionKind
from trtfarm.catalog.visibility import give
from trtfarm.database.schema import EngineRow, VerificationRow
from trtfarm.errors import TrtfarmError, error_from_dict
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.submissions.engine_checks import KINDS, next_of_check
from trtfarm.waiting import why_job_waits
from trtfarm_api.operations import event_of
from trtfarm_api.problems import problem_of
from trtfarm_api.service import service_of
from trtfarm_api.streams import job_stream


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is to be measured, for which project, and as which one `sees` it."""

    engine: EngineRow
    dataset_id: str
    #: Number of an optimization profile; None for the first that takes the data.
    profile: int | None
    fresh: bool
    project: str
    sees: str | None


async def check_stream(farm: Farm, request: Request, check: Check) -> AsyncIterator[ServerSentEvent]:
    """`job` for each event of its jobs, `waiting` where nobody takes one, and last `end` or `error`.

    Whoever asks again joins the jobs that are under way.
    """
    fresh = set(KINDS) if check.fresh else set()
    try:
        while isinstance(found := await anyio.to_thread.run_sync(_next, farm, request, check, fresh), Job):
            if reason := await anyio.to_thread.run_sync(why_job_waits, farm.database, found):
                yield event_of("waiting", {"job": found.id, "reason": reason})
            async for told in job_stream(farm, request.app.state.changes, found.id, 0, check.sees):
                if told.event == "job":
                    yield told
            fresh.discard(ActionKind(found.kind))
            _check_done(await anyio.to_thread.run_sync(farm.jobs.get, found.id))
    except TrtfarmError as error:
        yield event_of("error", problem_of(error, request))
        return
    facts = {"engine": check.engine.id, "verification": found.id, "dataset": found.dataset_id}
    yield event_of("end", {**facts, "metrics": found.metrics})


def _next(farm: Farm, request: Request, check: Check, fresh: set[ActionKind]) -> Job | VerificationRow:
    found = next_of_check(
        farm, check.engine, check.dataset_id, profile=check.profile, fresh=fresh, project=check.project
    )
    if isinstance(found, Job):
        service_of(request).announce(farm, [found.id])
    else:
        # No step of a submission says that the project asked for it.
        give(farm.database, check.project, found.id)
    return found


def _check_done(job: Job) -> None:
    """Raises the error of a job that failed."""
    if job.state is not JobState.DONE:
        raise error_from_dict(job.error) if job.error else TrtfarmError(f"{job.id} was {job.state}")
