"""Calibration tables: lists, all of one, and its text."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from trtfarm.catalog.details import table_details
from trtfarm.catalog.entries import TableEntry
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import find_tables
from trtfarm.database.schema import TableRow
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.downloads import download
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/tables", tags=["tables"])


@router.get("")
def tables(
    *,
    farm: FarmHere,
    _actor: Reader,
    paging: InPages,
    tensorrt: Text = None,
    target: Text = None,
    calibrator: Text = None,
    model: Text = None,
    digest: Text = None,
) -> Page[TableEntry]:
    """Tables, newest first; `target` leaves out those that are tied to another device."""
    words = {"tensorrt": tensorrt, "calibrator": calibrator, "model": model, "digest": digest}
    wanted = Filter(compute_capability=target, **words)
    filters = {**words, "target": target}
    with farm.database.read() as session:
        found = find_tables(session, wanted, limit=paging.wanted, within=paging.window("tables", filters))
    return paging.page("tables", filters, found, found)


@router.get("/{table}")
def table(farm: FarmHere, _actor: Reader, table: Name) -> dict[str, Any]:
    """A table: its rule, its data, its scales."""
    with farm.database.read() as session:
        return table_details(session, table)


@router.head("/{table}/text", include_in_schema=False)
@router.get("/{table}/text", response_class=Response)
def text(farm: FarmHere, _actor: Reader, table: Name, request: Request) -> Response:
    """The text that TensorRT reads. Its ETag is its digest; one range of bytes can be asked for."""
    with farm.database.read() as session:
        row = find_one(session, TableRow, table)
    return download(request, farm.blobs, row.blob, name=f"{row.id}.cache", media_type="text/plain; charset=utf-8")
