"""Data sets: lists, and all of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, status
from pydantic import BaseModel, Field, StringConstraints

from trtfarm.blob_intake import add_dataset_of_blobs
from trtfarm.catalog.entries import DataSetEntry
from trtfarm.catalog.holdings import find_datasets
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import DatasetRow
from trtfarm_api.access import FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.blob_access import check_blobs
from trtfarm_api.forms import writable
from trtfarm_api.heavy import heavily
from trtfarm_api.names import DigestText, Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

_MOST_INPUTS = 1000


@dataclass(frozen=True, kw_only=True)
class DataSetDetails(DataSetEntry):
    """A data set, and whether its arrays are there whole; else they are to be handed in again."""

    whole: bool


class NewDataSet(BaseModel):
    """Prepared arrays whose blobs were uploaded: canonical `.npy`, samples first, by the model's inputs in its order.

    `source` says in words where they came from; `preprocessing` what was done to each input, as in docs/data.md.
    """

    _writable = writable
    source: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+$")]
    inputs: Annotated[dict[str, DigestText], Field(min_length=1, max_length=_MOST_INPUTS)]
    labels: DigestText | None = None
    preprocessing: Annotated[dict[str, dict[str, Any]], Field(max_length=_MOST_INPUTS)] = {}


@router.get("")
def datasets(
    farm: FarmHere, actor: Reader, paging: InPages, name: Text = None, digest: Text = None
) -> Page[DataSetEntry]:
    """Data sets, newest first; `digest` is the start of one."""
    filters = {"name": name, "digest": digest}
    with farm.database.read() as session:
        window = paging.window("datasets", filters)
        found = find_datasets(session, name=name, digest=digest, limit=paging.wanted, within=window, project=actor.sees)
    return paging.page("datasets", filters, found, found)


@router.get("/{dataset}")
def dataset(farm: FarmHere, actor: Reader, dataset: Name) -> DataSetDetails:
    """A data set: its arrays by input, what was done to them, and whether they are there whole."""
    with farm.database.read() as session:
        entry = DataSetEntry.of(find_one(session, DatasetRow, dataset, actor.sees))
        arrays = [*entry.inputs.values(), *([entry.labels] if entry.labels else [])]
        return DataSetDetails(**vars(entry), whole=farm.complete(session, [array["blob"] for array in arrays]))


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(farm: FarmHere, actor: Submitter, request: Request, new: NewDataSet) -> DataSetEntry:
    """Takes a data set in. The server looks at every value; an equal one that is there already is that one."""

    def added() -> DataSetEntry:
        check_blobs(farm, actor, [*new.inputs.values(), *([new.labels] if new.labels else [])])
        dataset_id = add_dataset_of_blobs(
            farm,
            inputs=new.inputs,
            labels=new.labels,
            preprocessing=new.preprocessing,
            source=new.source,
            project=actor.project,
        )
        with farm.database.read() as session:
            return DataSetEntry.of(find_one(session, DatasetRow, dataset_id))

    entry = await heavily(request, added)
    note(request, dataset=entry.id)
    return entry
