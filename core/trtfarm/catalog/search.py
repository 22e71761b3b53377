"""Searching engines and tables, newest first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select, union_all
from sqlalchemy.orm import Session

from trtfarm.catalog.alternatives import engine_alternatives
from trtfarm.catalog.entries import EngineEntry, TableEntry
from trtfarm.catalog.filters import Filter, table_conditions
from trtfarm.catalog.labels import labels_seen
from trtfarm.catalog.measured import shown_of_engine
from trtfarm.catalog.visibility import visible, visible_engines
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.engines import EngineLabelRow, EngineRow
from trtfarm.database.inputs import ModelRow
from trtfarm.database.measurements import VerificationRow
from trtfarm.database.scales import TableRow

DEFAULT_LIMIT = 100
#: What an entry says of an engine and its model. Not the whole row: its facts have a line for each layer.
_SHOWN = (
    EngineRow.id,
    ModelRow.name.label("model"),
    ModelRow.digest.label("model_digest"),
    EngineRow.precision,
    EngineRow.calibrator,
    EngineRow.table_id.label("table"),
    EngineRow.tensorrt,
    EngineRow.toolchain,
    EngineRow.compute_capability,
    EngineRow.gpu,
    EngineRow.size,
    EngineRow.blob.label("digest"),
    EngineRow.created,
    EngineRow.pinned,
)
_NAMES = (*(column.key for column in _SHOWN), "metrics")
_SPACE = " "


def find_engines(
    session: Session,
    wanted: Filter,
    *,
    limit: int = DEFAULT_LIMIT,
    within: Window = EVERYTHING,
    project: str | None = None,
) -> list[EngineEntry]:
    """Up to `limit` engines, newest first."""
    # Only one of the alternatives fits an engine.
    seen = select(EngineRow.created, EngineRow.id).where(*visible_engines(session, project))
    of_each = [
        within.newest_first(seen.where(*conditions), EngineRow, limit=limit)
        for conditions in engine_alternatives(session, wanted, project)
    ]
    if not of_each:
        return []
    found = union_all(*(select(places.subquery()) for places in of_each)).subquery()
    return _engines(session, EVERYTHING.newest_first(select(found.c.id), found.c, limit=limit), project)


def find_tables(
    session: Session,
    wanted: Filter,
    *,
    limit: int = DEFAULT_LIMIT,
    within: Window = EVERYTHING,
    project: str | None = None,
) -> list[TableEntry]:
    """Up to `limit` tables, newest first; a precision, a label and a GPU say nothing about one and are passed over."""
    conditions = [*table_conditions(wanted, project), *visible(TableRow, project)]
    statement = select(TableRow, ModelRow).join(ModelRow, TableRow.model_id == ModelRow.id).where(*conditions)
    statement = within.newest_first(statement, TableRow, limit=limit)
    return [table_entry(table, model) for table, model in session.execute(statement)]


def engine_entry(session: Session, engine: EngineRow, project: str | None = None) -> EngineEntry:
    """What a search would say of this engine."""
    return _engines(session, select(EngineRow.id).where(EngineRow.id == engine.id), project)[0]


def _engines(session: Session, ids: Select[str], project: str | None) -> list[EngineEntry]:
    """The engines with these ids, newest first; whole rows are read of these alone, and all in one go."""
    places = ids.subquery()
    statement = (
        select(*_SHOWN, _metrics(project), _labels(project))
        .join_from(places, EngineRow, EngineRow.id == places.c.id)
        .join(ModelRow, EngineRow.model_id == ModelRow.id)
        .order_by(EngineRow.created.desc(), EngineRow.id.desc())
    )
    found = session.execute(statement).all()
    # Several projects may have given an engine the same label.
    return [
        EngineEntry(**dict(zip(_NAMES, shown, strict=True)), labels=sorted(set((labels or "").split())))
        for *shown, labels in found
    ]


@lru_cache(maxsize=64)
def _metrics(project: str | None) -> ColumnElement[Any]:
    """Kept, because to make it takes longer than to ask it."""
    return shown_of_engine(VerificationRow.metrics, project).label("metrics")


def _labels(project: str | None) -> ScalarSelect[str]:
    """All labels of an engine that are seen, in one text: a row for each would repeat the rest of the engine."""
    mine = EngineLabelRow.engine_id == EngineRow.id, *labels_seen(project)
    return select(func.aggregate_strings(EngineLabelRow.label, _SPACE)).where(*mine).scalar_subquery()


def table_entry(table: TableRow, model: ModelRow) -> TableEntry:
    return TableEntry(
        id=table.id,
        model=model.name,
        model_digest=model.digest,
        calibrator=table.calibrator,
        tensorrt=table.tensorrt,
        batch_size=table.batch_size,
        tensors=table.tensors,
        origin=table.origin,
        portable=table.portable,
        digest=table.blob,
        created=table.created,
    )
