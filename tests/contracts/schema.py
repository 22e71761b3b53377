"""What the schema and its columns promise, on any database."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from tests.contracts.rows import job_row, model_row, table_row
from trtfarm.database import migrate
from trtfarm.database.clock import from_now, now
from trtfarm.database.insert import insert_or_get
from trtfarm.database.schema import Base, EngineRow, ModelRow, TableRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import SchemaError
from trtfarm.ids import new_id
from trtfarm.jobs.state import JobState


class SchemaContract:
    """Run with a fixture `database`."""

    def test_the_migrations_make_what_the_models_say(self, database: Database) -> None:
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_the_head_is_the_newest_revision(self, database: Database) -> None:
        assert ScriptDirectory.from_config(migrate.config()).get_current_head() == migrate.HEAD
        with database.engine.connect() as connection:
            assert migrate.revision(connection) == migrate.HEAD

    def test_a_database_of_a_newer_release_is_refused_and_left_alone(self, database: Database) -> None:
        with database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(SchemaError, match="9999"):
            migrate.prepare(database)
        with database.engine.connect() as connection:
            assert migrate.revision(connection) == "9999"

    def test_times_are_aware_utc_and_the_databases(self, database: Database) -> None:
        with database.write() as session:
            session.add(model_row())
        with database.read() as session:
            created = session.scalars(select(ModelRow.created)).one()
            soon, late = session.execute(select(now(), from_now(-3600.5))).one()
        assert created.tzinfo is UTC
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
        assert timedelta(hours=1) < soon - late < timedelta(hours=1, seconds=2)

    def test_a_time_of_another_zone_is_the_same_moment(self, database: Database) -> None:
        moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
        with database.write() as session:
            session.add(model_row(created=moment))
        with database.read() as session:
            assert session.scalars(select(ModelRow.created)).one() == moment
            earlier = select(ModelRow.id).where(ModelRow.created < datetime(2026, 1, 1, 7, 0, 1, tzinfo=UTC))
            assert session.scalars(earlier).all() == ["mod_1"]

    def test_a_time_without_a_zone_is_refused(self, database: Database) -> None:
        with pytest.raises(StatementError, match="no time zone"), database.write() as session:
            session.add(model_row(created=datetime(2026, 1, 1)))  # noqa: DTZ001 - the mistake

    def test_a_name_that_is_not_utf8_is_stored_written_out_and_found_by_it(self, database: Database) -> None:
        """File systems have such names; text in a database has not."""
        name = os.fsdecode(b"caf\xe9")
        with database.write() as session:
            row = model_row()
            row.name = name
            session.add(row)
        with database.read() as session:
            assert session.scalars(select(ModelRow.name).where(ModelRow.name == name)).all() == ["caf\\udce9"]
            assert session.get(ModelRow, name) is None

    def test_scales_keep_the_order_of_the_network(self, database: Database) -> None:
        scales = dict.fromkeys(("z", "a", "(Unnamed Layer* 1) [Constant]_output", "b"), "3c010204")
        with database.write() as session:
            session.add(model_row())
            session.flush()
            session.add(table_row(scales=scales))
        with database.read() as session:
            assert list(session.scalars(select(TableRow.scales)).one()) == list(scales)

    def test_a_row_cannot_point_nowhere(self, database: Database) -> None:
        with pytest.raises(IntegrityError), database.write() as session:
            session.add(table_row(model_id="mod_none"))

    def test_a_block_that_raises_leaves_nothing(self, database: Database) -> None:
        def broken() -> None:
            with database.write() as session:
                session.add(model_row())
                session.flush()
                raise KeyError

        with pytest.raises(KeyError):
            broken()
        with database.read() as session:
            assert session.scalars(select(ModelRow)).all() == []

    def test_the_first_writer_of_a_key_wins(self, database: Database) -> None:
        digest = digest_of_json("table")
        values = {column.key: getattr(model_row(), column.key) for column in ModelRow.__table__.columns}
        values = {name: value for name, value in values.items() if value is not None} | {"digest": digest}
        with database.write() as session:
            first, added = insert_or_get(session, ModelRow, unique="digest", **values)
            assert added
            again, added = insert_or_get(
                session, ModelRow, unique="digest", **{**values, "id": new_id("mod"), "name": "other"}
            )
            assert (again.id, again.name, added) == (first.id, "lenet", False)

    def test_the_database_itself_allows_one_live_job_of_a_key(self, database: Database) -> None:
        for number, state in enumerate(["done", "failed", "done", "queued"]):
            with database.write() as session:
                session.add(job_row(id=f"job_{number}", state=JobState(state)))
        for state in JobState.QUEUED, JobState.RUNNING:
            with pytest.raises(IntegrityError), database.write() as session:
                session.add(job_row(id="job_second", state=state))

    def test_nothing_stored_is_nothing_found(self, database: Database) -> None:
        with database.read() as session:
            assert session.scalars(select(EngineRow)).all() == []
