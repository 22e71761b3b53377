"""What an export is asked for, and the rows that have to come along for it to be found and used elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from trtfarm import actions
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import find_engines, find_tables
from trtfarm.catalog.visibility import granted, visible
from trtfarm.database.batches import batches
from trtfarm.database.schema import (
    DatasetRow,
    EngineRow,
    ModelRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)
from trtfarm.errors import NotFoundError, UsageError

#: Engines, and tables, that one export finds.
_MOST = 10_000

#: Rows of each kind by their ids.
Chosen = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Engines and tables by id or digest, or the start of one; besides, the engines that have a label.

    With a model alone all its engines and tables; with a label, too, its engines that have it. `with_models` takes
    the models themselves along; without it, the other farm learns what they are called, and their inputs and outputs.
    `with_recordings` takes along what they compute in FP32 of the data that the engines were measured on.
    """

    engines: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    model: str | None = None
    label: str | None = None
    with_models: bool = False
    with_recordings: bool = False


def chosen(session: Session, selection: Selection, project: str | None = None) -> Chosen:
    """The rows of a bundle, of those that a project sees.

    Raises UsageError where nothing is asked for, NotFoundError where there is none such.
    """
    engines = {row.id: row for row in _engines(session, selection, project)}
    tables = {row.id: row for row in _tables(session, selection, project)}
    if not engines and not tables:
        raise NotFoundError("there is no engine or table to export", remedy="see trtfarm engines list and tables list")
    quantizations = _quantizations(session, engines.values())
    built: list[Any] = [*engines.values(), *quantizations.values()]
    origins = [row.table_id for row in built]
    tables |= _rows(session, TableRow, TableRow.id, origins)
    # What others measured of the same is theirs: their data would be told with it.
    measured = visible(VerificationRow, project)
    verifications = {
        **_rows(session, VerificationRow, VerificationRow.engine_id, engines, *measured),
        **_rows(session, VerificationRow, VerificationRow.quantization_id, quantizations, *measured),
    }
    made_of = [row.dataset_id for row in (*tables.values(), *verifications.values())]
    models = _rows(session, ModelRow, ModelRow.id, [row.model_id for row in [*built, *tables.values()]])
    if selection.with_models and project is not None:
        _check_given(session, models, project)
    return {
        "models": models,
        "datasets": _rows(session, DatasetRow, DatasetRow.id, made_of),
        "tables": tables,
        "quantizations": quantizations,
        "engines": engines,
        "verifications": verifications,
        "recordings": _recordings(session, verifications.values()) if selection.with_recordings else {},
    }


def _engines(session: Session, selection: Selection, project: str | None) -> list[EngineRow]:
    rows = [find_one(session, EngineRow, text, project) for text in selection.engines]
    if not (selection.engines or selection.tables or selection.model or selection.label):
        raise UsageError("nothing was named to export", remedy="name an engine, a table, a model or a label")
    if selection.model or selection.label:
        wanted = Filter(model=selection.model, label=selection.label)
        ids = [entry.id for entry in find_engines(session, wanted, limit=_MOST + 1, project=project)]
        rows += _rows(session, EngineRow, EngineRow.id, _few(ids)).values()
    return rows


def _tables(session: Session, selection: Selection, project: str | None) -> list[TableRow]:
    rows = [find_one(session, TableRow, text, project) for text in selection.tables]
    if selection.model and not selection.label:
        wanted = Filter(model=selection.model)
        ids = [entry.id for entry in find_tables(session, wanted, limit=_MOST + 1, project=project)]
        rows += _rows(session, TableRow, TableRow.id, _few(ids)).values()
    return rows


def _check_given(session: Session, models: Iterable[str], project: str) -> None:
    """Raises NotFoundError for a model that a project has engines of, from a bundle, and never handed in."""
    if strangers := sorted(set(models) - granted(session, project, models)):
        raise NotFoundError(
            f"the model itself of {', '.join(strangers)} was not handed in", remedy="export without the models"
        )


def _recordings(session: Session, verifications: Iterable[VerificationRow]) -> dict[str, RecordingRow]:
    """By which the same engines can be measured again, without the model."""
    measured = {(row.model_id, row.dataset_id) for row in verifications}
    found = _rows(session, RecordingRow, RecordingRow.dataset_id, [dataset for _, dataset in measured])
    return {row.id: row for row in found.values() if (row.model_id, row.dataset_id) in measured}


def _few(ids: list[str]) -> list[str]:
    if len(ids) > _MOST:
        raise UsageError(f"more than {_MOST:,} are too many for one bundle", remedy="export them in several")
    return ids


def _quantizations(session: Session, engines: Iterable[EngineRow]) -> dict[str, QuantizationRow]:
    """The rewritten models that engines were built from, and those with Q/DQ nodes that float16 ones were made of."""
    wanted = [engine.quantization_id for engine in engines]
    found = _rows(session, QuantizationRow, QuantizationRow.id, wanted)
    models = _rows(session, ModelRow, ModelRow.id, [row.model_id for row in found.values()])
    for row in list(found.values()):
        # A row does not name what it was converted from, but its key tells.
        alike = QuantizationRow.model_id == row.model_id, QuantizationRow.table_id == row.table_id
        for other in session.scalars(select(QuantizationRow).where(*alike, QuantizationRow.id != row.id)):
            weights = models[row.model_id].weights_blob
            if actions.convert(onnx=other.blob, weights=weights, options=row.options).key == row.key:
                found[other.id] = other
    return found


def _rows(
    session: Session,
    rows: Any,
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    values: Iterable[str | None],
    *conditions: ColumnElement[bool],
) -> dict[str, Any]:
    """Id -> row, for those of which a column has one of these values, and that fit the conditions."""
    wanted = sorted({value for value in values if value is not None})
    found = (session.scalars(select(rows).where(column.in_(some), *conditions)) for some in batches(wanted))
    return {row.id: row for some in found for row in some}
