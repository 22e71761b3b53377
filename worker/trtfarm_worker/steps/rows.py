"""Writing the row of a result: a key has one row, and doing the work again repairs what that row names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.accuracy import measures
from trtfarm.blobs.records import put_all_held, put_bytes_held, put_held, record
from trtfarm.blobs.store import Blob
from trtfarm.database.insert import conflict_insert
from trtfarm.database.schema import QuantizationRow, VerificationRow
from trtfarm.ids import new_id
from trtfarm_worker.steps.step import Task


def keep_file(task: Task, path: Path) -> Blob:
    """Stores a file that the builder wrote; clean-up leaves it alone until `put` names it."""
    return put_held(task.farm.database, task.farm.blobs, path, task.job.id)


def keep_files(task: Task, paths: Sequence[Path]) -> list[Blob]:
    """The same for several files."""
    return put_all_held(task.farm.database, task.farm.blobs, paths, task.job.id)


def keep_bytes(task: Task, data: bytes) -> Blob:
    """The same for a few bytes."""
    return put_bytes_held(task.farm.database, task.farm.blobs, data, task.job.id)


def put(session: Session, task: Task, rows: Any, blobs: Sequence[Blob], **values: Any) -> str:
    """Inserts the row of a key, or renews the one that is there (its id stays); returns the row's id.

    The key is the job's own unless `values` has another.
    """
    record(session, blobs, holder=task.job.id)
    key = values.pop("key", task.job.key)
    insert = conflict_insert(session, rows).values(key=key, **values)
    renewed = {name: insert.excluded[name] for name in values if name != "id"}
    written = insert.on_conflict_do_update(index_elements=["key"], set_=renewed).returning(insert.table.c.id)
    return str(session.scalars(written).one())


def put_rewritten(session: Session, task: Task, blob: Blob, *, prefix: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """The row of a model that quantisation or conversion wrote; returns the job's result."""
    request = task.job.request
    stored = put(
        session,
        task,
        QuantizationRow,
        [blob],
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
        [],
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
