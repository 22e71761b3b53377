"""Engines: lists, all of one, and its plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request, status
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from trtfarm.catalog.details import engine_details
from trtfarm.catalog.entries import EngineEntry
from trtfarm.catalog.labels import label_engine, unlabel_engine
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.pinning import pin_engine
from trtfarm.catalog.removal import remove_engines
from trtfarm.catalog.search import find_engines
from trtfarm.database.schema import DatasetRow, EngineRow
from trtfarm.errors import NotFoundError
from trtfarm.signing.seal import Seal
from trtfarm.signing.signed_file import signature_text
from trtfarm.signing.statement import EngineStatement
from trtfarm.signing.vouching import vouch
from trtfarm.submissions.engine_checks import check_runs, usual_dataset
from trtfarm_api.access import Admin, FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.checking import Check, check_stream
from trtfarm_api.downloads import download
from trtfarm_api.filters import EngineFilter
from trtfarm_api.heavy import heavily
from trtfarm_api.names import Name, Word
from trtfarm_api.pages import InPages, Page
from trtfarm_api.streams import stream

router = APIRouter(prefix="/v1/engines", tags=["engines"])
PLAN = "application/octet-stream"
_MOST_NAMED = 1000


class Named(BaseModel):
    """Engines, by id or digest or the start of one."""

    engines: Annotated[list[Word], Field(min_length=1, max_length=_MOST_NAMED)]


class Verifying(BaseModel):
    """Without data, those are taken that the engine's model was verified with last."""

    model_config = ConfigDict(extra="forbid")

    dataset: Word | None = None
    fresh: Annotated[bool, Field(description="Measure again, whatever is stored.")] = False
    profile: Annotated[
        int | None, Field(ge=0, lt=1 << 31, description="Optimization profile, from 0 on; else the first that fits.")
    ] = None


class Signed(BaseModel):
    signed: list[str]


class Removed(BaseModel):
    removed: list[str]


@router.get("")
def engines(farm: FarmHere, actor: Reader, paging: InPages, wanted: EngineFilter) -> Page[EngineEntry]:
    """Engines, newest first.

    A TensorRT version may be short: 10 finds 10.13.3.9. So may a precision: int8 finds int8+fp16. `target` is a compute
    capability, `model` a name or the start of an id or digest, `digest` the start of the plan's, `gpu` any part of
    the name of the GPU that it was built on. Accuracy is what the list tells of an engine: its own newest measurement,
    else that of the model that it was built from.
    """
    filters = asdict(wanted)
    with farm.database.read() as session:
        window = paging.window("engines", filters)
        found = find_engines(session, wanted, limit=paging.wanted, within=window, project=actor.sees)
    return paging.page("engines", filters, found, found)


@router.post("/signatures")
async def sign(farm: FarmHere, _actor: Admin, request: Request, named: Named) -> Signed:
    """Vouches for engines that were built before engines were signed, all or none, with the server's own key."""
    signed = await heavily(request, vouch, farm, named.engines)
    note(request, engines=" ".join(signed))
    return Signed(signed=signed)


@router.post("/removals")
def remove_several(farm: FarmHere, _actor: Admin, request: Request, named: Named) -> Removed:
    """Forgets engines, all or none; one that is pinned or labelled is refused."""
    removed = remove_engines(farm.database, farm.blobs, named.engines)
    note(request, engines=" ".join(removed))
    return Removed(removed=removed)


@router.get("/{engine}")
def engine(farm: FarmHere, actor: Reader, engine: Name) -> dict[str, Any]:
    """All that is known of an engine, its layers among it."""
    with farm.database.read() as session:
        return engine_details(session, engine, actor.sees)


@router.head("/{engine}/plan", include_in_schema=False)
@router.get("/{engine}/plan", response_class=Response)
def plan(farm: FarmHere, actor: Reader, engine: Name, request: Request) -> Response:
    """The engine itself. Its ETag is its digest; one range of bytes can be asked for."""
    with farm.database.read() as session:
        row = find_one(session, EngineRow, engine, actor.sees)
    return download(request, farm.blobs, row.blob, name=f"{row.id}.plan", media_type=PLAN)


@router.get("/{engine}/signature", response_class=Response)
def signature(farm: FarmHere, actor: Reader, engine: Name) -> Response:
    """What `trtfarm engines check` wants beside the plan, as <file>.sig."""
    with farm.database.read() as session:
        row = find_one(session, EngineRow, engine, actor.sees)
    seal = Seal.of_row(row)
    if seal is None:
        raise NotFoundError(f"engine {row.id} has no signature", remedy="on its farm: trtfarm engines sign")
    return Response(signature_text(EngineStatement.of_row(row), seal), media_type="application/json")


@router.head("/{engine}/log", include_in_schema=False)
@router.get("/{engine}/log", response_class=Response)
def log(farm: FarmHere, actor: Reader, engine: Name, request: Request) -> Response:
    """What the builder said."""
    with farm.database.read() as session:
        row = find_one(session, EngineRow, engine, actor.sees)
    if row.log_blob is None:
        raise NotFoundError(f"engine {row.id} has no log", remedy="see the history of its job")
    return download(request, farm.blobs, row.log_blob, name=f"{row.id}.log", media_type="text/plain; charset=utf-8")


@router.post("/{engine}/verification", response_class=EventSourceResponse)
def verify(farm: FarmHere, actor: Submitter, engine: Name, request: Request, asked: Verifying) -> EventSourceResponse:
    """Has an engine of TensorRT measured against FP32 by a worker with its GPU, told as server-sent events.

    `job` for each event of the jobs that this takes, `waiting` where no worker takes one, and last `end` with
    `verification`, `dataset` and `metrics`, or `error` with a problem. Whoever asks again joins what is under way.
    """
    with farm.database.read() as session:
        row = find_one(session, EngineRow, engine, actor.sees)
        check_runs(farm, row)
        named = find_one(session, DatasetRow, asked.dataset, actor.sees).id if asked.dataset else None
        dataset_id = named or usual_dataset(session, row, actor.sees)
    note(request, engine=row.id, dataset=dataset_id)
    check = Check(
        engine=row,
        dataset_id=dataset_id,
        profile=asked.profile,
        fresh=asked.fresh,
        project=actor.project,
        sees=actor.sees,
    )
    return stream(check_stream(farm, request, check))


@router.put("/{engine}/pin", status_code=status.HTTP_204_NO_CONTENT)
def pin(farm: FarmHere, actor: Submitter, engine: Name, request: Request) -> None:
    """Every clean-up keeps the engine from now on."""
    note(request, engine=pin_engine(farm.database, engine, pinned=True, seen_by=actor.sees))


@router.delete("/{engine}/pin", status_code=status.HTTP_204_NO_CONTENT)
def unpin(farm: FarmHere, actor: Submitter, engine: Name, request: Request) -> None:
    """Clean-up may take the engine again."""
    note(request, engine=pin_engine(farm.database, engine, pinned=False, seen_by=actor.sees))


@router.put("/{engine}/labels/{label}", status_code=status.HTTP_204_NO_CONTENT)
def label_(farm: FarmHere, actor: Submitter, engine: Name, label: Name, request: Request) -> None:
    """Gives the engine a label, such as `prod`; every clean-up keeps what has one."""
    labelled = label_engine(farm.database, engine, label, actor.project, seen_by=actor.sees)
    note(request, engine=labelled, label=label)


@router.delete("/{engine}/labels/{label}", status_code=status.HTTP_204_NO_CONTENT)
def unlabel(farm: FarmHere, actor: Submitter, engine: Name, label: Name, request: Request) -> None:
    """Takes a label away from the engine."""
    note(request, engine=unlabel_engine(farm.database, engine, label, seen_by=actor.sees), label=label)


@router.delete("/{engine}", status_code=status.HTTP_204_NO_CONTENT)
def remove(farm: FarmHere, _actor: Admin, engine: Name, request: Request) -> None:
    """Forgets an engine that is neither pinned nor labelled, and the bytes that nothing else needs."""
    note(request, engine=remove_engines(farm.database, farm.blobs, [engine])[0])
