"""The rows of results: a key has one row, and doing the work again repairs what that row names."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, literal, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from trtfarm.accuracy import measures
from trtfarm.actions import MEASURES_REVISION
from trtfarm.blobs.made import made_file
from trtfarm.blobs.records import put_held
from trtfarm.blobs.store import Blob
from trtfarm.database.insert import conflict_insert_in
from trtfarm.database.kept import Kept
from trtfarm.database.many import as_parameter, many, plain
from trtfarm.database.schema import Base, QuantizationRow, VerificationRow
from trtfarm.file_errors import storage_errors
from trtfarm.ids import new_id
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.step import Outcome, ResultRow, Task

#: What is as old as its last renewal: of several measurements the newest is shown.
_DATED: Mapping[type[Base], tuple[str, ...]] = {VerificationRow: ("created",)}


def keep_file(task: Task, path: Path) -> Blob:
    """Keeps a file that the builder wrote, and that a row of the result will name; it is gone from where it was."""
    kept = task.kept / new_id("made")
    with storage_errors(path):
        os.rename(path, kept)  # noqa: PTH104 - makes no third path
    return _keep(task, kept)


def keep_bytes(task: Task, data: bytes) -> Blob:
    """The same for a few bytes."""
    kept = task.kept / new_id("made")
    with storage_errors(kept):
        kept.write_bytes(data)
    return _keep(task, kept)


def _keep(task: Task, path: Path) -> Blob:
    file = made_file(task.farm.blobs, path)
    task.made.append(file)
    return file.blob


def hold_file(task: Task, path: Path) -> Blob:
    """Stores a file that something else than the result names; clean-up leaves it alone from now on."""
    return put_held(task.farm.database, task.farm.blobs, path, task.job.id)


def row_of(task: Task, kind: type[Base], prefix: str, **values: Any) -> ResultRow:
    """The row of the job's own key; its id begins with `prefix`."""
    return ResultRow(kind=kind, values={"id": new_id(prefix), "key": task.job.key, **values})


def rewritten(task: Task, blob: Blob, *, prefix: str, facts: Mapping[str, Any]) -> Outcome:
    """A model that quantisation or conversion wrote."""
    request = task.job.request
    origin = {name: request[name] for name in ("model_id", "table_id", "options")}
    row = row_of(task, QuantizationRow, prefix, **origin, blob=blob.digest, facts=dict(facts))
    return Outcome(rows=[row], id_name="quantization_id")


def verification(
    task: Task, metrics: Mapping[str, Any], *, quantization_id: str | None, engine_id: str | None
) -> Outcome:
    """A comparison with FP32, of a rewritten model or of an engine."""
    check_revision("the evaluation", metrics["revision"], MEASURES_REVISION)
    request = task.job.request
    row = row_of(
        task,
        VerificationRow,
        "ver",
        model_id=request["model_id"],
        quantization_id=quantization_id,
        engine_id=engine_id,
        dataset_id=request["dataset_id"],
        simulated=bool(metrics["simulated"]),
        metrics=dict(metrics),
        **measures(metrics),
    )
    return Outcome(rows=[row], id_name="verification_id")


def write_all(session: Session, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Inserts the rows of results, or renews those that are there (their ids stay); returns the jobs' results.

    Those of one kind are one statement. Kinds go in the order in which they refer to each other, and rows in that of
    their keys: of two writers of the same rows the second waits for the first.
    """
    alike: dict[tuple[type[Base], tuple[str, ...]], dict[str, Mapping[str, Any]]] = {}
    for row in (row for outcome in outcomes for row in outcome.rows):
        alike.setdefault((row.kind, tuple(sorted(row.values))), {})[row.values["key"]] = row.values
    ids: dict[tuple[type[Base], str], str] = {}
    for (kind, names), rows in sorted(alike.items(), key=lambda item: (_rank(item[0][0]), item[0][1])):
        columns = [_table(kind).c[name] for name in names]
        written = as_parameter(plain(columns, rows[key]) for key in sorted(rows))
        ids |= {(kind, found.key): found.id for found in _upsert(kind, names)(session, rows=written)}
    return [_result(outcome, ids) for outcome in outcomes]


def _result(outcome: Outcome, ids: Mapping[tuple[type[Base], str], str]) -> dict[str, Any]:
    first = outcome.rows[0]
    return {outcome.id_name: ids[first.kind, first.values["key"]], **outcome.more}


def _rank(kind: type[Base]) -> int:
    return _ORDER.index(_table(kind))


def _table(kind: type[Base]) -> Table:
    return cast(Table, kind.__table__)


@lru_cache(maxsize=64)
def _upsert(kind: type[Base], names: tuple[str, ...]) -> Kept:
    def make(dialect: str) -> list[Any]:
        table = _table(kind)
        given, usual = many(dialect, "rows", (table.c[name] for name in names)), _defaults(table, names)
        # Without a condition SQLite would take what follows for one of a join.
        rows = select(*given.c, *usual.values()).where(true())
        insert = conflict_insert_in(dialect, kind).from_select([*names, *usual], rows)
        renewed = {name: insert.excluded[name] for name in (*names, *_DATED.get(kind, ())) if name not in ("id", "key")}
        upsert = insert.on_conflict_do_update(index_elements=["key"], set_=renewed)
        return [upsert.returning(table.c.id, table.c.key)]

    return Kept(make)


def _defaults(table: Table, names: Collection[str]) -> dict[str, ColumnElement[Any]]:
    """The constants that other columns get; SQLAlchemy adds expressions by itself."""
    found = {one.name: one.default for one in table.c if one.name not in names}
    return {
        name: literal(usual.arg, table.c[name].type)
        for name, usual in found.items()
        if isinstance(usual, ScalarElementColumnDefault)
    }


#: What is referred to comes before what refers to it.
_ORDER = Base.metadata.sorted_tables
