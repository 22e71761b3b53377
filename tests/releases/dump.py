"""A database as a release left it, made again from what `capture` wrote down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Connection, DateTime, MetaData, Table, insert, text

from trtfarm.database import migrate
from trtfarm.database.session import Database

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Dump:
    """`schema` is what SQLite had; `tables` has the rows by table, those first that others point at."""

    revision: str
    schema: Sequence[str]
    tables: Mapping[str, Sequence[Row]]

    @classmethod
    def read(cls, revision: str) -> Dump:
        return cls(**json.loads((Path(__file__).parent / f"{revision}.json").read_text()))

    def restore(self, database: Database) -> None:
        """Fills a database that has no tables."""
        with database.writer.begin() as connection:
            if database.is_sqlite:
                for statement in self.schema:
                    connection.exec_driver_sql(statement)
                connection.execute(text("INSERT INTO alembic_version VALUES (:found)"), {"found": self.revision})
            else:
                command.upgrade(migrate.config(connection), self.revision)
            metadata = MetaData()
            metadata.reflect(connection)
            for name, rows in self.tables.items():
                self._insert(connection, metadata.tables[name], rows)

    def _insert(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        times = {column.name for column in table.columns if isinstance(column.type, DateTime)}
        if rows:
            connection.execute(insert(table), [_typed(row, times, connection) for row in rows])
        # Who inserts without a number of its own goes on after these.
        if connection.dialect.name == "postgresql" and table.autoincrement_column is not None and "id" in table.c:
            last = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
            connection.execute(text(last))


def _typed(row: Row, times: set[str], connection: Connection) -> dict[str, Any]:
    """Times as they are stored: UTC, which SQLite does not say."""
    zone = None if connection.dialect.name == "sqlite" else UTC
    return {
        name: datetime.fromisoformat(value).replace(tzinfo=zone) if name in times and value else value
        for name, value in row.items()
    }


def stored(connection: Connection) -> dict[str, list[Row]]:
    """The rows of each table, as `capture` writes them."""
    metadata = MetaData()
    metadata.reflect(connection)
    return {
        table.name: [
            {name: _plain(value) for name, value in row.items()}
            for row in connection.execute(table.select()).mappings()
        ]
        for table in metadata.sorted_tables
    }


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value
