"""Whether the server runs, whether it can work, and who asks. The first two are open: load balancers have no token."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import text

import trtfarm
from trtfarm.digests import NO_BLOB
from trtfarm.tokens import Scope
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.metrics import text_of
from trtfarm_api.readiness import Readiness

router = APIRouter(prefix="/v1", tags=["health"])
metrics_router = APIRouter(tags=["health"])
_UNAVAILABLE = 503
_WORDS = {True: "ready", False: "failed"}


class Who(BaseModel):
    """Whoever asks: a token's id and name, or `local` where none is needed; and what it opens."""

    id: str
    name: str | None
    project: str
    scopes: list[Scope]
    expires: datetime | None


class Health(BaseModel):
    status: str
    version: str


class Ready(BaseModel):
    """`ready` or `failed`, for each thing that the server needs."""

    ready: bool
    database: str
    blobs: str


@router.get("/health")
async def health() -> Health:
    """The process answers, however busy it is."""
    return Health(status="ok", version=trtfarm.__version__)


@router.get("/ready", responses={_UNAVAILABLE: {"model": Ready}})
async def ready(farm: FarmHere, request: Request, response: Response) -> Ready:
    """Database and blob store answer, and soon; 503 while one of them does not."""
    asked: Readiness = request.app.state.readiness
    database, blobs = await asyncio.gather(
        asked.answers("database", partial(_ask_database, farm)),
        asked.answers("blob store", partial(farm.blobs.size, NO_BLOB)),
    )
    if not (database and blobs):
        response.status_code = _UNAVAILABLE
    return Ready(ready=database and blobs, database=_WORDS[database], blobs=_WORDS[blobs])


@router.get("/whoami")
def whoami(actor: Reader) -> Who:
    """Who asks, as the farm sees it."""
    name, expires = (actor.token.name, actor.token.expires) if actor.token else (None, None)
    scopes = [scope for scope in Scope if actor.allows(scope)]
    return Who(id=actor.id, name=name, project=actor.project, scopes=scopes, expires=expires)


@metrics_router.get("/metrics", response_class=Response)
def metrics(farm: FarmHere, _actor: Reader, request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(text_of(farm.database, request.app.state.requests), media_type=CONTENT_TYPE_LATEST)


def _ask_database(farm: FarmHere) -> None:
    with farm.database.read() as session:
        session.execute(text("SELECT 1"))
