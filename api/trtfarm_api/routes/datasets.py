"""Data sets: lists, and all of one."""

from __future__ import annotations

from fastapi import APIRouter

from trtfarm.catalog.holdings import DataSetEntry, find_datasets
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import DatasetRow
from trtfarm_api.access import FarmHere, Reader
from trtfarm_api.names import Name
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])


@router.get("")
def datasets(
    farm: FarmHere, _actor: Reader, paging: InPages, name: Text = None, digest: Text = None
) -> Page[DataSetEntry]:
    """Data sets, newest first; `digest` is the start of one."""
    filters = {"name": name, "digest": digest}
    with farm.database.read() as session:
        window = paging.window("datasets", filters)
        found = find_datasets(session, name=name, digest=digest, limit=paging.wanted, within=window)
    return paging.page("datasets", filters, found, found)


@router.get("/{dataset}")
def dataset(farm: FarmHere, _actor: Reader, dataset: Name) -> DataSetEntry:
    """A data set: its arrays by input, and what was done to them."""
    with farm.database.read() as session:
        return DataSetEntry.of(find_one(session, DatasetRow, dataset))
