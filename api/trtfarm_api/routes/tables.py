"""Calibration tables: lists, all of one, and its text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, status
from fastapi.responses import Response
from pydantic import BaseModel

from trtfarm.blob_intake import add_table_of_blob
from trtfarm.catalog.details import table_details
from trtfarm.catalog.entries import TableEntry
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import find_tables
from trtfarm.database.schema import TableRow
from trtfarm_api.access import FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.blob_access import check_blobs
from trtfarm_api.downloads import download
from trtfarm_api.filters import TableFilter
from trtfarm_api.heavy import heavily
from trtfarm_api.names import DigestText, Name, Word
from trtfarm_api.pages import InPages, Page

router = APIRouter(prefix="/v1/tables", tags=["tables"])


class NewTable(BaseModel):
    """A table whose text was uploaded, and the model it belongs to: an id or digest, or the start of one."""

    blob: DigestText
    model: Word


@router.get("")
def tables(farm: FarmHere, actor: Reader, paging: InPages, wanted: TableFilter) -> Page[TableEntry]:
    """Tables, newest first; `target` leaves out those that are tied to another device.

    Accuracy is that of something that was made with the table.
    """
    filters = asdict(wanted)
    with farm.database.read() as session:
        window = paging.window("tables", filters)
        found = find_tables(session, wanted, limit=paging.wanted, within=window, project=actor.sees)
    return paging.page("tables", filters, found, found)


@router.get("/{table}")
def table(farm: FarmHere, actor: Reader, table: Name) -> dict[str, Any]:
    """A table: its rule, its data, its scales."""
    with farm.database.read() as session:
        return table_details(session, table, actor.sees)


@router.head("/{table}/text", include_in_schema=False)
@router.get("/{table}/text", response_class=Response)
def text(farm: FarmHere, actor: Reader, table: Name, request: Request) -> Response:
    """The text that TensorRT reads. Its ETag is its digest; one range of bytes can be asked for."""
    with farm.database.read() as session:
        row = find_one(session, TableRow, table, actor.sees)
    return download(request, farm.blobs, row.blob, name=f"{row.id}.cache", media_type="text/plain; charset=utf-8")


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(farm: FarmHere, actor: Submitter, request: Request, new: NewTable) -> dict[str, Any]:
    """Takes a table in, checked against its model; equal scales for the same model are stored once."""

    def added() -> dict[str, Any]:
        check_blobs(farm, actor, [new.blob])
        table_id = add_table_of_blob(farm, new.blob, new.model, actor.project, seen_by=actor.sees)
        with farm.database.read() as session:
            return table_details(session, table_id)

    details = await heavily(request, added)
    note(request, table=details["id"])
    return details
