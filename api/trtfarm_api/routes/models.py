"""Models: lists, and all of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, status
from pydantic import BaseModel, Field, StringConstraints

from trtfarm.blob_intake import add_model_of_blobs
from trtfarm.catalog.entries import ModelEntry
from trtfarm.catalog.holdings import find_models
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import ModelRow
from trtfarm.stored_names import FILE_NAME_CHARACTERS
from trtfarm_api.access import FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.blob_access import check_blobs
from trtfarm_api.forms import writable
from trtfarm_api.heavy import heavily
from trtfarm_api.names import DigestText, Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/models", tags=["models"])

#: A model's external data lies in as many files, or fewer.
_MOST_FILES = 10_000


@dataclass(frozen=True, kw_only=True)
class ModelDetails(ModelEntry):
    """A model, and whether its files are there whole; else they are to be handed in again."""

    whole: bool


class NewModel(BaseModel):
    """A model whose blobs were uploaded; `weights` are those that it names beside itself, by where it says they are."""

    _writable = writable
    name: Annotated[str, StringConstraints(min_length=1, max_length=FILE_NAME_CHARACTERS, pattern=r"^[^\x00-\x1f/]+$")]
    blob: DigestText
    weights: Annotated[dict[str, DigestText], Field(max_length=_MOST_FILES)] = {}


@router.get("")
def models(farm: FarmHere, actor: Reader, paging: InPages, name: Text = None, digest: Text = None) -> Page[ModelEntry]:
    """Models, newest first; `digest` is the start of one."""
    filters = {"name": name, "digest": digest}
    with farm.database.read() as session:
        window = paging.window("models", filters)
        found = find_models(session, name=name, digest=digest, limit=paging.wanted, within=window, project=actor.sees)
    return paging.page("models", filters, found, found)


@router.get("/{model}")
def model(farm: FarmHere, actor: Reader, model: Name) -> ModelDetails:
    """A model: its digests, inputs and outputs, and whether its files are there whole."""
    with farm.database.read() as session:
        row = find_one(session, ModelRow, model, actor.sees)
        whole = farm.complete(session, [blob for blob in (row.blob, row.weights_blob) if blob])
        return ModelDetails(**vars(ModelEntry.of(row)), whole=whole)


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(farm: FarmHere, actor: Submitter, request: Request, new: NewModel) -> ModelEntry:
    """Takes a model in. The server reads it itself; an equal one that is there already is that one."""

    def added() -> ModelEntry:
        check_blobs(farm, actor, [new.blob, *new.weights.values()])
        model_id = add_model_of_blobs(farm, new.name, new.blob, new.weights, actor.project)
        with farm.database.read() as session:
            return ModelEntry.of(find_one(session, ModelRow, model_id))

    entry = await heavily(request, added)
    note(request, model=entry.id)
    return entry
