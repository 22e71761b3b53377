"""Keeping house: clean-up by age and size, and the check of all that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from trtfarm.blobs.garbage import GRACE_SECONDS
from trtfarm.retention.checkup import check_up
from trtfarm.retention.cleaning import Tell, clean
from trtfarm.retention.policy import Policy
from trtfarm_api.access import Admin, FarmHere
from trtfarm_api.auditing import note
from trtfarm_api.streams import stream

router = APIRouter(prefix="/v1", tags=["upkeep"])

#: A century: longer is no age.
_LONGEST = 36_525 * 86_400.0
Seconds = Annotated[float, Field(ge=0, le=_LONGEST, allow_inf_nan=False)]


class Cleaning(BaseModel):
    """What may go: times in seconds; what is left out sets no limit."""

    model_config = ConfigDict(extra="forbid")

    unused_for: Annotated[Seconds | None, Field(description="Engines that nobody asked for in so long.")] = None
    total_bytes: Annotated[int | None, Field(ge=0, le=1 << 62, description="What engines may take together.")] = None
    tables_unused_for: Annotated[Seconds | None, Field(description="Tables that no engine came of.")] = None
    data_unused_for: Annotated[Seconds | None, Field(description="Data that nothing rests on.")] = None
    garbage_after: Annotated[Seconds, Field(description="Age of files that no row names.")] = GRACE_SECONDS
    dry_run: bool = False

    def policy(self) -> Policy:
        return Policy(
            unused_for=_time(self.unused_for),
            total_bytes=self.total_bytes,
            tables_unused_for=_time(self.tables_unused_for),
            data_unused_for=_time(self.data_unused_for),
        )


class Checking(BaseModel):
    """With `repair`, what is corrupt is removed, so that it is made anew when it is needed."""

    model_config = ConfigDict(extra="forbid")

    repair: bool = False


@router.post("/clean", response_class=EventSourceResponse)
def clean_up(farm: FarmHere, _actor: Admin, request: Request, asked: Cleaning) -> EventSourceResponse:
    """Removes what the policy lets go of, and garbage, told as server-sent events.

    `progress` with `done` and `total`, and last `end` with what went (with `dry_run`: would go) or `error` with a
    problem. Whoever hangs up ends it; what is left goes the next time.
    """

    def work(tell: Tell) -> Mapping[str, Any]:
        cleaned = clean(farm, asked.policy(), grace_seconds=asked.garbage_after, dry_run=asked.dry_run, tell=tell)
        facts = cleaned.as_dict()
        counts = {word: str(len(found)) for word, found in facts.items()}
        note(request, **counts, dry_run=str(asked.dry_run))
        return facts

    return stream(request.app.state.operations.run(request, work))


@router.post("/fsck", response_class=EventSourceResponse)
def check(farm: FarmHere, _actor: Admin, request: Request, asked: Checking) -> EventSourceResponse:
    """Compares every file that the farm names with its digest, told as server-sent events like a clean-up.

    `end` has `checked`, `findings` (`digest`, `damage`, `named_by`, `repaired`), `orphans` and `orphan_bytes`.
    """

    def work(tell: Tell) -> Mapping[str, Any]:
        found = check_up(farm, repair=asked.repair, tell=tell)
        note(request, checked=str(found.checked), damaged=str(len(found.findings)), repair=str(asked.repair))
        return found.as_dict()

    return stream(request.app.state.operations.run(request, work))


def _time(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
