"""Writing the row of a result: a key has one row, and doing the work again repairs what that row names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from trtfarm.accuracy import measures
from trtfarm.blobs.records import Stored, put_held
from trtfarm.blobs.store import Blob
from trtfarm.database.insert import conflict_insert_in
from trtfarm.database.schema import QuantizationRow, VerificationRow
from trtfarm.ids import new_id
from trtfarm_worker.steps.step import Task


def keep_file(task: Task, path: Path) -> Blob:
    """Stores a file that the builder wrote, and that a row of the result will name."""
    return _keep(task, partial(task.farm.blobs.put_file, path))


def keep_bytes(task: Task, data: bytes) -> Blob:
    """The same for a few bytes."""
    return _keep(task, partial(task.farm.blobs.put_bytes, data))


def hold_file(task: Task, path: Path) -> Blob:
    """Stores a file that something else than the result names; clean-up leaves it alone from now on."""
    return put_held(task.farm.database, task.farm.blobs, path, task.job.id)


def _keep(task: Task, store: Callable[[], Blob]) -> Blob:
    stored = Stored(blob=store(), put=store)
    task.stored.append(stored)
    return stored.blob


def put(session: Session, task: Task, rows: Any, **values: Any) -> str:
    """Inserts the row of a key, or renews the one that is there (its id stays); returns the row's id.

    The key is the job's own unless `values` has another.
    """
    values.setdefault("key", task.job.key)
    statement = _upsert(session.get_bind().dialect.name, rows, tuple(values))
    return str(session.scalars(statement, values).one())


@lru_cache(maxsize=64)
def _upsert(dialect: str, rows: Any, names: tuple[str, ...]) -> ReturningInsert[Any]:
    """Put together once: that takes longer than the database does with it."""
    insert = conflict_insert_in(dialect, rows)
    renewed = {name: insert.excluded[name] for name in names if name not in ("id", "key")}
    return insert.on_conflict_do_update(index_elements=["key"], set_=renewed).returning(insert.table.c.id)


def put_rewritten(session: Session, task: Task, blob: Blob, *, prefix: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """The row of a model that quantisation or conversion wrote; returns the job's result."""
    request = task.job.request
    stored = put(
        session,
        task,
        QuantizationRow,
        id=new_id(prefix),
        model_id=request["model_id"],
        table_id=request["table_id"],
        options=request["options"],
        blob=blob.digest,
        facts=dict(facts),
    )
    return {"quantization_id": stored}


def put_verification(
    session: Session, task: Task, metrics: Mapping[str, Any], *, quantization_id: str | None, engine_id: str | None
) -> dict[str, str]:
    """The row of a comparison with FP32, of a rewritten model or of an engine."""
    request = task.job.request
    stored = put(
        session,
        task,
        VerificationRow,
        id=new_id("ver"),
        model_id=request["model_id"],
        quantization_id=quantization_id,
        engine_id=engine_id,
        dataset_id=request["dataset_id"],
        simulated=bool(metrics["simulated"]),
        metrics=dict(metrics),
        **measures(metrics),
    )
    return {"verification_id": stored}
