"""Lists of what was handed in: models and data sets, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from trtfarm.catalog.filters import starts_so
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.artifacts import DatasetRow, ModelNameRow, ModelRow


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model; `size` in bytes with its weights, inputs and outputs as {name, dtype, dims}."""

    id: str
    name: str
    digest: str
    graph_digest: str
    weights_digest: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    nodes: int
    size: int
    created: datetime

    @classmethod
    def of(cls, row: ModelRow) -> ModelEntry:
        return cls(
            id=row.id,
            name=row.name,
            digest=row.digest,
            graph_digest=row.graph_digest,
            weights_digest=row.weights_digest,
            inputs=row.inputs,
            outputs=row.outputs,
            nodes=row.nodes,
            size=row.size,
            created=row.created,
        )


@dataclass(frozen=True, kw_only=True)
class DataSetEntry:
    """A data set; inputs by name and labels as {blob, dtype, shape}, `preprocessing` what was done to each input."""

    id: str
    name: str
    digest: str
    source: str | None
    samples: int
    inputs: dict[str, dict[str, Any]]
    labels: dict[str, Any] | None
    preprocessing: dict[str, Any]
    created: datetime

    @classmethod
    def of(cls, row: DatasetRow) -> DataSetEntry:
        return cls(
            id=row.id,
            name=row.name,
            digest=row.digest,
            source=row.source,
            samples=row.samples,
            inputs=row.inputs,
            labels=row.labels,
            preprocessing=row.spec or {},
            created=row.created,
        )


def find_models(
    session: Session, *, name: str | None = None, digest: str | None = None, limit: int, within: Window = EVERYTHING
) -> list[ModelEntry]:
    """Models that came under this name, or whose digest starts so."""
    conditions = _of_digest(ModelRow, digest)
    if name is not None:
        named = select(ModelNameRow.model_id).where(ModelNameRow.name == name)
        conditions.append(or_(ModelRow.name == name, ModelRow.id.in_(named)))
    statement = within.newest_first(select(ModelRow).where(*conditions), ModelRow, limit=limit)
    return [ModelEntry.of(row) for row in session.scalars(statement)]


def find_datasets(
    session: Session, *, name: str | None = None, digest: str | None = None, limit: int, within: Window = EVERYTHING
) -> list[DataSetEntry]:
    """Data sets of this name, or whose digest starts so."""
    conditions = _of_digest(DatasetRow, digest)
    if name is not None:
        conditions.append(DatasetRow.name == name)
    statement = within.newest_first(select(DatasetRow).where(*conditions), DatasetRow, limit=limit)
    return [DataSetEntry.of(row) for row in session.scalars(statement)]


def _of_digest(rows: type[ModelRow | DatasetRow], digest: str | None) -> list[ColumnElement[bool]]:
    return [] if digest is None else [starts_so(rows.digest, digest)]
