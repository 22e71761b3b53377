"""Engines: lists, all of one, and its plan."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from trtfarm.catalog.details import engine_details
from trtfarm.catalog.entries import EngineEntry
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import find_engines
from trtfarm.database.schema import EngineRow
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.downloads import download
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/engines", tags=["engines"])
PLAN = "application/octet-stream"


@router.get("")
def engines(
    *,
    farm: FarmHere,
    _actor: Reader,
    paging: InPages,
    tensorrt: Text = None,
    target: Text = None,
    precision: Text = None,
    calibrator: Text = None,
    model: Text = None,
    digest: Text = None,
) -> Page[EngineEntry]:
    """Engines, newest first.

    A TensorRT version may be short: 10 finds 10.13.3.9. So may a precision: int8 finds int8+fp16. `target` is a compute
    capability, `model` a name or the start of an id or digest, `digest` the start of the plan's.
    """
    words = {"tensorrt": tensorrt, "precision": precision, "calibrator": calibrator, "model": model, "digest": digest}
    wanted = Filter(compute_capability=target, **words)
    filters = {**words, "target": target}
    with farm.database.read() as session:
        found = find_engines(session, wanted, limit=paging.wanted, within=paging.window("engines", filters))
    return paging.page("engines", filters, found, found)


@router.get("/{engine}")
def engine(farm: FarmHere, _actor: Reader, engine: Name) -> dict[str, Any]:
    """All that is known of an engine, its layers among it."""
    with farm.database.read() as session:
        return engine_details(session, engine)


@router.head("/{engine}/plan", include_in_schema=False)
@router.get("/{engine}/plan", response_class=Response)
def plan(farm: FarmHere, _actor: Reader, engine: Name, request: Request) -> Response:
    """The engine itself. Its ETag is its digest; one range of bytes can be asked for."""
    with farm.database.read() as session:
        row = find_one(session, EngineRow, engine)
    return download(request, farm.blobs, row.blob, name=f"{row.id}.plan", media_type=PLAN)
