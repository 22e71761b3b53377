"""Whether the server runs, and whether it can work. Both are open to everybody: load balancers have no token."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text

import trtfarm
from trtfarm.errors import TrtfarmError
from trtfarm_api.access import FarmHere

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["health"])
#: A digest that no blob has in practice: asking for it tells whether the store answers.
_NOTHING = "sha256:" + 64 * "0"
_UNAVAILABLE = 503


class Health(BaseModel):
    status: str
    version: str


class Readiness(BaseModel):
    """`ready` or `failed`, for each thing that the server needs."""

    ready: bool
    database: str
    blobs: str


@router.get("/health")
def health() -> Health:
    """The process answers."""
    return Health(status="ok", version=trtfarm.__version__)


@router.get("/ready", responses={_UNAVAILABLE: {"model": Readiness}})
def ready(farm: FarmHere, response: Response) -> Readiness:
    """Database and blob store answer; 503 while one of them does not."""
    database, blobs = _database(farm), _blobs(farm)
    is_ready = database == blobs == "ready"
    if not is_ready:
        response.status_code = _UNAVAILABLE
    return Readiness(ready=is_ready, database=database, blobs=blobs)


def _database(farm: FarmHere) -> str:
    def answers() -> None:
        with farm.database.read() as session:
            session.execute(text("SELECT 1"))

    return _state("database", answers)


def _blobs(farm: FarmHere) -> str:
    return _state("blob store", lambda: farm.blobs.size(_NOTHING))


def _state(what: str, ask: Callable[[], object]) -> str:
    """Why it failed stands in the log: paths and hosts are not for everybody."""
    try:
        ask()
    except TrtfarmError as error:
        _log.warning("the %s does not answer: %s", what, error)
        return "failed"
    return "ready"
