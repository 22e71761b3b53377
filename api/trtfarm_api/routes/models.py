"""Models: lists, and all of one."""

from __future__ import annotations

from fastapi import APIRouter

from trtfarm.catalog.holdings import ModelEntry, find_models
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import ModelRow
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def models(farm: FarmHere, _actor: Reader, paging: InPages, name: Text = None, digest: Text = None) -> Page[ModelEntry]:
    """Models, newest first; `digest` is the start of one."""
    filters = {"name": name, "digest": digest}
    with farm.database.read() as session:
        window = paging.window("models", filters)
        found = find_models(session, name=name, digest=digest, limit=paging.wanted, within=window)
    return paging.page("models", filters, found, found)


@router.get("/{model}")
def model(farm: FarmHere, _actor: Reader, model: Name) -> ModelEntry:
    """A model: its digests, inputs and outputs."""
    with farm.database.read() as session:
        return ModelEntry.of(find_one(session, ModelRow, model))
