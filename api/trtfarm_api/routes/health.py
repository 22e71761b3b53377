"""Whether the server runs, whether it can work, and who asks. The first two are open: load balancers have no token."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import text

import trtfarm
from trtfarm.digests import NO_BLOB
from trtfarm.errors import TrtfarmError
from trtfarm.tokens import Scope
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.metrics import text_of

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["health"])
metrics_router = APIRouter(tags=["health"])
_UNAVAILABLE = 503


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


class Readiness(BaseModel):
    """`ready` or `failed`, for each thing that the server needs."""

    ready: bool
    database: str
    blobs: str


@router.get("/health")
async def health() -> Health:
    """The process answers, however busy it is."""
    return Health(status="ok", version=trtfarm.__version__)


@router.get("/ready", responses={_UNAVAILABLE: {"model": Readiness}})
def ready(farm: FarmHere, response: Response) -> Readiness:
    """Database and blob store answer; 503 while one of them does not."""
    database, blobs = _database(farm), _blobs(farm)
    is_ready = database == blobs == "ready"
    if not is_ready:
        response.status_code = _UNAVAILABLE
    return Readiness(ready=is_ready, database=database, blobs=blobs)


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


def _database(farm: FarmHere) -> str:
    def answers() -> None:
        with farm.database.read() as session:
            session.execute(text("SELECT 1"))

    return _state("database", answers)


def _blobs(farm: FarmHere) -> str:
    return _state("blob store", lambda: farm.blobs.size(NO_BLOB))


def _state(what: str, ask: Callable[[], object]) -> str:
    """Why it failed stands in the log: paths and hosts are not for everybody."""
    try:
        ask()
    except TrtfarmError as error:
        _log.warning("the %s does not answer: %s", what, error)
        return "failed"
    return "ready"
