"""Searching engines and tables, newest first."""

from __future__ import annotations

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from trtfarm.catalog.alternatives import engine_alternatives
from trtfarm.catalog.entries import WARNINGS, EngineEntry, TableEntry
from trtfarm.catalog.filters import Filter, table_conditions
from trtfarm.catalog.shown import engine_entries
from trtfarm.catalog.visibility import visible, visible_engines
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.engines import EngineRow
from trtfarm.database.inputs import ModelRow
from trtfarm.database.scales import TableRow

DEFAULT_LIMIT = 100


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
    newest = EVERYTHING.newest_first(select(found.c.id), found.c, limit=limit)
    while True:
        ids = session.scalars(newest).all()
        entries = engine_entries(session, ids, project)
        # On PostgreSQL one may be removed in between, and a page that is not full would pass for the last one.
        if len(entries) == len(ids):
            return entries


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
    return engine_entries(session, [engine.id], project)[0]


def warnings_of(table: TableRow) -> list[str]:
    """What the table's calibration warned of."""
    return list(table.rule.get(WARNINGS, ()))


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
        warnings=warnings_of(table),
    )
