"""Databases of every release, brought to this one, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import main as alembic
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from tests.conftest import REPOSITORY
from tests.contracts.released_schemas import ReleasedSchemaContract, lacking, revisions
from tests.releases.dump import Dump
from trtfarm.database import migrate
from trtfarm.database.session import Database, open_database, sqlite_url


class TestReleasedSchemasOnSqlite(ReleasedSchemaContract):
    @pytest.fixture(scope="class")
    @classmethod
    def empty_url(cls, dump: Dump, tmp_path_factory: pytest.TempPathFactory) -> str:
        return sqlite_url(tmp_path_factory.mktemp(f"schema-{dump.revision}") / "farm.db")


def test_every_release_has_left_a_dump() -> None:
    assert lacking() == [], "make them with tests.releases.capture: docs/patterns.md, A migration"


@pytest.mark.parametrize("revision", revisions())
def test_a_migration_that_was_released_is_not_changed(revision: str, tmp_path: Path) -> None:
    """It would make another schema for those who start with it than for those who had the release."""
    with _opened(tmp_path / "made.db") as made, _opened(tmp_path / "left.db") as left:
        with made.writer.begin() as connection:
            command.upgrade(migrate.config(connection), revision)
        Dump.read(revision).restore(left)
        found = MetaData()
        found.reflect(made.engine)
        with left.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), found) == []


def test_there_is_no_way_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But the one of Alembic's own program says so, and changes nothing."""
    with _opened(tmp_path / "farm.db") as database:
        migrate.prepare(database)
        with pytest.raises(SystemExit):
            alembic(["-c", str(REPOSITORY / "alembic.ini"), "-x", f"url={database.engine.url}", "downgrade", "-1"])
        assert "made before the upgrade" in capsys.readouterr().out
        with database.engine.connect() as connection:
            assert migrate.revision(connection) == migrate.HEAD


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    database = open_database(sqlite_url(path))
    yield database
    database.close()
