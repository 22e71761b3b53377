"""Which rows name which blobs: clean-up keeps these, and a check of the farm looks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select
from sqlalchemy.orm import Session

from trtfarm.database.schema import Base, DatasetRow, RecordingRow


@dataclass(frozen=True, kw_only=True)
class Naming:
    """A row of a table, by its id, and a blob that it names."""

    table: str
    row_id: str
    digest: str


def named(session: Session) -> Iterator[Naming]:
    """Every blob that a row names, once for each row."""
    for table, column in _columns():
        for row_id, digest in session.execute(select(table.c.id, column).where(column.is_not(None))):
            yield Naming(table=table.name, row_id=row_id, digest=digest)
    arrays = [
        (DatasetRow, select(DatasetRow.id, DatasetRow.inputs)),
        (DatasetRow, select(DatasetRow.id, DatasetRow.labels)),
        (RecordingRow, select(RecordingRow.id, RecordingRow.outputs)),
    ]
    for rows, wanted in arrays:
        for row_id, found in session.execute(wanted):
            for digest in arrays_blobs(found):
                yield Naming(table=rows.__tablename__, row_id=row_id, digest=digest)


def arrays_blobs(arrays: Mapping[str, Any] | None) -> list[str]:
    """Digests of a map of arrays, of one array, or of none."""
    if not arrays:
        return []
    return [arrays["blob"]] if isinstance(arrays.get("blob"), str) else [array["blob"] for array in arrays.values()]


def _columns() -> list[tuple[Table, Column[Any]]]:
    """Every column that names a blob, by the rule of the schema: it is called `blob` or ends so."""
    tables = Base.metadata.tables.values()
    return [(table, column) for table in tables for column in table.columns if column.name.split("_")[-1] == "blob"]
