"""What bringing a database to the next release promises, on any database."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from tests.contracts.rows import model_row, table_row
from trtfarm.database import migrate
from trtfarm.database.schema import ModelRow, TableRow
from trtfarm.database.session import Database
from trtfarm.errors import StorageError

#: The newest migration of this release, and one that comes after it.
NOW, NEXT = migrate.HEAD, "next"
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{now}"


def upgrade():
    with op.batch_alter_table("models") as batch:  # on SQLite, changing a column makes the table anew
        batch.add_column(sa.Column("licence", sa.String(50), nullable=True))
        batch.alter_column("name", existing_type=sa.String(200), type_=sa.String(300), existing_nullable=False)
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
    {last}
"""

Release = Callable[[str], None]


class UpgradeContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def next_release(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
        """Makes this a release with one more migration, which ends with the given line."""

        def release(last: str) -> None:
            scripts = tmp_path / "100% migrations"
            shutil.copytree(migrate.scripts_folder(), scripts)
            (scripts / "versions" / "next_licence.py").write_text(REVISION.format(now=NOW, last=last))
            monkeypatch.setattr(migrate, "scripts_folder", lambda: scripts)
            monkeypatch.setattr(migrate, "HEAD", NEXT)

        return release

    @pytest.fixture(autouse=True)
    def filled(self, database: Database) -> None:
        with database.write() as session:
            session.add(model_row())
            session.flush()
            session.add(table_row())

    def test_an_upgrade_keeps_what_is_there(self, database: Database, next_release: Release) -> None:
        next_release("pass")
        migrate.prepare(database)
        with database.engine.connect() as connection:
            assert migrate.revision(connection) == NEXT
            assert "licence" in {column["name"] for column in inspect(connection).get_columns("models")}
            assert inspect(connection).has_table("notes")
        with database.read() as session:
            assert session.scalars(select(TableRow.model_id)).all() == ["mod_1"]
            assert session.scalars(select(ModelRow.id)).all() == ["mod_1"]

    def test_a_migration_that_fails_changes_nothing(self, database: Database, next_release: Release) -> None:
        next_release('op.execute("nonsense")')
        with pytest.raises(StorageError, match="nonsense"):
            migrate.prepare(database)
        with database.engine.connect() as connection:
            assert migrate.revision(connection) == NOW
            assert "licence" not in {column["name"] for column in inspect(connection).get_columns("models")}
            assert not inspect(connection).has_table("notes")

    def test_a_migration_that_would_leave_rows_pointing_nowhere_is_undone(
        self, database: Database, next_release: Release
    ) -> None:
        next_release('op.execute("DELETE FROM models")')
        with pytest.raises(StorageError):
            migrate.prepare(database)
        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM models")) == 1
