"""Searching engines and tables, newest first."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from trtfarm.catalog.alternatives import engine_alternatives
from trtfarm.catalog.entries import EngineEntry, TableEntry
from trtfarm.catalog.filters import Filter, table_conditions
from trtfarm.catalog.labels import labels_of
from trtfarm.catalog.window import EVERYTHING, Window
from trtfarm.database.artifacts import EngineRow, ModelRow, TableRow, VerificationRow

DEFAULT_LIMIT = 100


def find_engines(
    session: Session, wanted: Filter, *, limit: int = DEFAULT_LIMIT, within: Window = EVERYTHING
) -> list[EngineEntry]:
    """Up to `limit` engines, newest first."""
    places = select(EngineRow.created, EngineRow.id).join(ModelRow, EngineRow.model_id == ModelRow.id)
    of_each = [
        session.execute(within.newest_first(places.where(*conditions), EngineRow, limit=limit)).all()
        for conditions in engine_alternatives(session, wanted)
    ]
    # Only one of the alternatives fits an engine. Only now are whole rows read, which costs more than finding them.
    ids = [engine_id for _, engine_id in sorted(chain(*of_each), reverse=True)[:limit]]
    engines = select(EngineRow, ModelRow).join(ModelRow, EngineRow.model_id == ModelRow.id)
    newest_first = EngineRow.created.desc(), EngineRow.id.desc()
    found = session.execute(engines.where(EngineRow.id.in_(ids)).order_by(*newest_first)).all()
    metrics = _newest_metrics(session, [engine for engine, _ in found])
    labels = labels_of(session, [engine.id for engine, _ in found])
    return [_engine(engine, model, metrics.get(engine.id), labels.get(engine.id, [])) for engine, model in found]


def find_tables(
    session: Session, wanted: Filter, *, limit: int = DEFAULT_LIMIT, within: Window = EVERYTHING
) -> list[TableEntry]:
    """Up to `limit` tables, newest first; `wanted.precision` says nothing about a table and is passed over."""
    statement = (
        select(TableRow, ModelRow).join(ModelRow, TableRow.model_id == ModelRow.id).where(*table_conditions(wanted))
    )
    statement = within.newest_first(statement, TableRow, limit=limit)
    return [table_entry(table, model) for table, model in session.execute(statement)]


def engine_entry(session: Session, engine: EngineRow) -> EngineEntry:
    """What a search would say of this engine."""
    model = session.scalars(select(ModelRow).where(ModelRow.id == engine.model_id)).one()
    metrics = _newest_metrics(session, [engine]).get(engine.id)
    return _engine(engine, model, metrics, labels_of(session, [engine.id]).get(engine.id, []))


def _newest_metrics(session: Session, engines: Collection[EngineRow]) -> dict[str, dict[str, Any]]:
    """Engine id -> metrics of its own newest measurement, else of the newest of the model that it was built from.

    Engines of equal bytes are measured once, whichever of them it was.
    """
    measured = _newest(session, EngineRow.blob, {engine.blob for engine in engines})
    origins = {engine.quantization_id for engine in engines if engine.quantization_id}
    simulated = _newest(session, VerificationRow.quantization_id, origins)
    found = {engine.id: measured.get(engine.blob) or simulated.get(engine.quantization_id or "") for engine in engines}
    return {engine_id: metrics for engine_id, metrics in found.items() if metrics is not None}


def _newest(
    session: Session, column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], values: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The newest metrics by what a column of the verification, or of the engine that was measured, holds."""
    statement = (
        select(column, VerificationRow.metrics)
        .select_from(VerificationRow)
        # An inner join where engines are looked for: then it begins with them, and not with every verification.
        .join(EngineRow, VerificationRow.engine_id == EngineRow.id, isouter=column is not EngineRow.blob)
        .where(column.in_(values))
        .order_by(VerificationRow.created, VerificationRow.id)
    )
    return {found: metrics for found, metrics in session.execute(statement) if found is not None}


def _engine(engine: EngineRow, model: ModelRow, metrics: dict[str, Any] | None, labels: list[str]) -> EngineEntry:
    return EngineEntry(
        id=engine.id,
        model=model.name,
        model_digest=model.digest,
        precision=engine.precision,
        calibrator=engine.calibrator,
        table=engine.table_id,
        tensorrt=engine.tensorrt,
        toolchain=engine.toolchain,
        compute_capability=engine.compute_capability,
        gpu=engine.gpu,
        size=engine.size,
        digest=engine.blob,
        created=engine.created,
        pinned=engine.pinned,
        labels=labels,
        metrics=metrics,
    )


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
