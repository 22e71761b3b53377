"""Lists of what was handed in: models and data sets, newest first."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from trtfarm.catalog.entries import DataSetEntry, ModelEntry
from trtfarm.catalog.filters import starts_so
from trtfarm.catalog.visibility import visible
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.inputs import DatasetRow, ModelNameRow, ModelRow
from trtfarm.stored_names import as_stored


def find_models(
    session: Session,
    *,
    name: str | None = None,
    digest: str | None = None,
    limit: int,
    within: Window = EVERYTHING,
    project: str | None = None,
) -> list[ModelEntry]:
    """Models that came under this name, or whose digest starts so."""
    conditions = _of_digest(ModelRow, digest) + visible(ModelRow, project)
    if name is not None:
        stored = as_stored(name)
        named = select(ModelNameRow.model_id).where(ModelNameRow.name == stored)
        conditions.append(or_(ModelRow.name == stored, ModelRow.id.in_(named)))
    statement = within.newest_first(select(ModelRow).where(*conditions), ModelRow, limit=limit)
    return [ModelEntry.of(row) for row in session.scalars(statement)]


def find_datasets(
    session: Session,
    *,
    name: str | None = None,
    digest: str | None = None,
    limit: int,
    within: Window = EVERYTHING,
    project: str | None = None,
) -> list[DataSetEntry]:
    """Data sets of this name, or whose digest starts so."""
    conditions = _of_digest(DatasetRow, digest) + visible(DatasetRow, project)
    if name is not None:
        conditions.append(DatasetRow.name == as_stored(name))
    statement = within.newest_first(select(DatasetRow).where(*conditions), DatasetRow, limit=limit)
    return [DataSetEntry.of(row) for row in session.scalars(statement)]


def _of_digest(rows: type[ModelRow | DatasetRow], digest: str | None) -> list[ColumnElement[bool]]:
    return [] if digest is None else [starts_so(rows.digest, digest)]
