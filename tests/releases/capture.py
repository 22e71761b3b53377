"""Writes down a database as a release leaves it, for the tests that bring such databases to the release of today.

    python -m tests.releases.capture --release FOLDER --toolchain FOLDER

The release's own program makes it, from its checkout: LeNet is calibrated, built, verified and asked for again; jobs
wait. Tables that stay empty without a GPU get one row each, made up after their columns. What of it tells of a machine
is left out, and long texts are cut.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    create_engine,
    insert,
    text,
)
from sqlalchemy import inspect as inspected

from tests.conftest import REPOSITORY

FOLDER = Path(__file__).parent
_MODEL = REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"
_PARTS = ("core", "worker", "api", "client", "cli")
#: What the release of the first schema knew. Later commands are tried, and left out where they are unknown.
_ALWAYS: tuple[tuple[str, ...], ...] = (
    ("submit", str(_MODEL), "--target", "sm_89", "--calibrator", "entropy2"),
    ("submit", str(_MODEL), "--target", "sm_86", "--calibrator", "minmax", "--detach"),
)
_WHERE_KNOWN: tuple[tuple[str, ...], ...] = (
    ("submit", str(_MODEL), "--target", "sm_89", "--precision", "fp32", "--option", "avg_timing_iterations=2"),
    ("tokens", "create", "ann", "--scope", "submit", "--project", "vision"),
)
#: Of an engine found in the database.
_OF_AN_ENGINE = (("engines", "pin"), ("engines", "label", "prod"))
#: For columns of tables that stay empty.
_MADE_UP: dict[type[Any], Any] = {
    DateTime: datetime(2026, 1, 1, 12, 0, 0, 123456),  # noqa: DTZ001 - SQLite stores UTC and no zone
    JSON: {},
    Boolean: False,
    Integer: 1,
}
_DIGEST = "VARCHAR(71)"
_MOST_EVENTS = 6
_LONGEST_LIST = 4
_USAGE = 2


class Release:
    """A checkout whose program works in a home of its own."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TRTFARM_HOME": str(home),
            "PYTHONPATH": os.pathsep.join(str(checkout / part) for part in _PARTS),
        }
        self.home = home
        self.database = home / "farm.db"

    def does(self, *command: str, unless_unknown: bool = False) -> bool:
        """Runs a command of the program; False where it is unknown, and that is no mistake."""
        done = subprocess.run(
            [sys.executable, "-m", "trtfarm_cli", *command],
            cwd=self.home,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode == _USAGE and unless_unknown:
            return False
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr}")
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--release", type=Path, default=REPOSITORY, help="its checkout; this one unless given")
    parser.add_argument("--toolchain", type=Path, required=True, help="an installed TensorRT-RTX that builds INT8")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="trtfarm-release-") as home:
        release = Release(options.release.resolve(), Path(home))
        _work(release, options.toolchain)
        engine = create_engine(f"sqlite:///{release.database}")
        with engine.begin() as connection:
            metadata = MetaData()
            metadata.reflect(connection)
            _fill(connection, metadata)
            found = _written(connection, metadata)
        engine.dispose()
    path = FOLDER / f"{found['revision']}.json"
    path.write_text(_text(found).replace(home, "/home/farm").replace(str(REPOSITORY), "/home/ann"))
    sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes, {len(found['tables'])} tables\n")


def _work(release: Release, toolchain: Path) -> None:
    release.does("toolchain", "add", str(toolchain))
    for command in _ALWAYS:
        release.does(*command)
    for command in _WHERE_KNOWN:
        release.does(*command, unless_unknown=True)
    engine = create_engine(f"sqlite:///{release.database}")
    with engine.connect() as connection:
        built = str(connection.execute(text("SELECT id FROM engines ORDER BY created LIMIT 1")).scalar())
    engine.dispose()
    for group, word, *rest in _OF_AN_ENGINE:
        release.does(group, word, built, *rest, unless_unknown=True)


def _fill(connection: Connection, metadata: MetaData) -> None:
    """One row in each table that has none."""
    for table in metadata.sorted_tables:
        if table.name != "alembic_version" and connection.execute(table.select()).first() is None:
            row = {column.name: _value(connection, column) for column in table.columns}
            connection.execute(insert(table).values(row))


def _value(connection: Connection, column: Column[Any]) -> Any:
    for key in column.foreign_keys:
        return connection.execute(key.column.table.select().with_only_columns(key.column)).scalar()
    for type_, value in _MADE_UP.items():
        if isinstance(column.type, type_):
            return value
    if str(column.type) == _DIGEST:
        return "sha256:" + f"{sum(map(ord, column.name)):064x}"
    return f"{column.name} of {column.table.name}"[: getattr(column.type, "length", None)]


def _written(connection: Connection, metadata: MetaData) -> dict[str, Any]:
    schema = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
    )
    return {
        "revision": connection.execute(text("SELECT version_num FROM alembic_version")).scalar(),
        "schema": [str(statement) for (statement,) in schema],
        "tables": {
            table.name: list(_rows(connection, table))
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        },
    }


def _text(found: dict[str, Any]) -> str:
    """As JSON, with a line for each statement and each row."""
    tables = [f"{json.dumps(name)}: {_lines(rows)}" for name, rows in found["tables"].items()]
    parts = (json.dumps(found["revision"]), _lines(found["schema"]), "{\n" + ",\n".join(tables) + "\n}")
    return '{{\n"revision": {},\n"schema": {},\n"tables": {}\n}}\n'.format(*parts)


def _lines(values: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(value, ensure_ascii=False) for value in values) + "\n]"


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    keys = [column.name for column in inspected(table).primary_key]
    for number, row in enumerate(connection.execute(table.select().order_by(*keys)).mappings()):
        if table.name == "job_events" and number >= _MOST_EVENTS:
            return
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """As JSON: times in ISO 8601, lists (layers of an engine, say) cut to their first few."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value[:_LONGEST_LIST]]
    return value.isoformat() if hasattr(value, "isoformat") else value


if __name__ == "__main__":
    main()
