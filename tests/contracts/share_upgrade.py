"""What a farm of before projects saw their own alone has after the upgrade, on any database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alembic import command
from sqlalchemy import JSON, ColumnClause, DateTime, column, insert, select, table

from trtfarm.database import migrate
from trtfarm.database.schema import EngineLabelRow, GrantRow, JobRow
from trtfarm.database.session import Database, open_database

_BEFORE = "0007"
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_JSON = {"inputs", "outputs", "request", "profiles", "options", "facts", "rule", "scales"}
_DIGEST = "sha256:" + "0" * 64


class ShareUpgradeContract:
    """Run with a fixture `empty_database_url`."""

    def test_everybody_keeps_what_they_had(self, empty_database_url: str) -> None:
        database = open_database(empty_database_url)
        with database.writer.connect() as connection, connection.begin():
            command.upgrade(migrate.config(connection), _BEFORE)
        _fill(database)
        migrate.prepare(database)
        with database.read() as session:
            grants = {(grant.project, grant.item) for grant in session.scalars(select(GrantRow))}
            labels = session.execute(select(EngineLabelRow.project, EngineLabelRow.label, EngineLabelRow.created)).all()
            job = session.scalars(select(JobRow)).one()
        assert grants == {("vision", "mod_1"), ("vision", "dat_1"), ("default", "mod_2"), ("default", "tab_in")}
        assert labels == [("default", "prod", _MOMENT)]
        assert (job.state, job.project, job.turn) == ("queued", "vision", None)
        database.close()


def _fill(database: Database) -> None:
    """Rows of that release: two models, one of which was submitted, an imported table, one that was made, a label."""
    with database.write() as session:

        def add(rows: str, /, **values: Any) -> None:
            columns = [_column(word) for word in values]
            session.execute(insert(table(rows, *columns)).values(**values))

        digests = ("graph_digest", "weights_digest", "blob")
        for model in ("mod_1", "mod_2"):
            facts = {"inputs": [], "outputs": [], "nodes": 1, "size": 1, "created": _MOMENT}
            add("models", id=model, name="lenet", digest=model, **dict.fromkeys(digests, _DIGEST), **facts)
        data = {"name": "digits", "samples": 1, "inputs": {}, "created": _MOMENT}
        add("datasets", id="dat_1", digest="data", **data)
        scales = {"scales_digest": _DIGEST, "scales": {}, "tensors": 0, "created": _MOMENT}
        kept = {"before_fusion": True, "origin": "imported", "portable": True, "blob": _DIGEST, **scales}
        for name, key in (("tab_in", None), ("tab_made", "made")):
            add("tables", id=name, key=key, model_id="mod_1", calibrator="minmax", rule={}, **kept)
        words = {"precision": "int8", "tensorrt": "10", "toolchain": "x", "compute_capability": "sm_86"}
        built = {"profiles": {}, "options": {}, "facts": {}, "blob": _DIGEST, "size": 1, "pinned": False}
        add("engines", id="eng_1", key="engine", model_id="mod_1", created=_MOMENT, **words, **built)
        add("engine_labels", engine_id="eng_1", label="prod", created=_MOMENT)
        request = {"model_id": "mod_1", "dataset_id": "dat_1", "test_dataset_id": None, "table_id": None}
        add("submissions", id="sub_1", request=request, state="active", project="vision", created=_MOMENT)
        times = {"created": _MOMENT, "queued_at": _MOMENT}
        numbers = {"attempt": 0, "max_attempts": 3, "priority": 0, "cancel_requested": False}
        which = {"id": "job_1", "kind": "build", "key": "k", "capability": "cpu", "request": {}, "project": "vision"}
        add("jobs", **which, state="queued", **times, **numbers)


def _column(name: str) -> ColumnClause[Any]:
    if name in _JSON:
        return column(name, JSON())
    return column(name, DateTime(timezone=True)) if name in {"created", "queued_at"} else column(name)
