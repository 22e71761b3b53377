"""Verifications of older releases get the columns that searches by accuracy go by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from trtfarm.accuracy import measures
from trtfarm.database import migrate
from trtfarm.database.session import open_database, sqlite_url

NAN = float("nan")
METRICS: dict[str, dict[str, Any]] = {
    "labelled": {
        "classification": {"reference": {"top1": 0.99}, "candidate": {"top1": 0.985}},
        "outputs": {"y": {"cosine_mean": 0.97}},
    },
    "plain": {"classification": None, "outputs": {"y": {"cosine_mean": 0.99}, "z": {"cosine_mean": 0.95}}},
    "integers": {"outputs": {"y": {"cosine_mean": 0.99}, "ids": {"equal_share": 0.5}}},
    "broken": {"outputs": {"y": {"cosine_mean": NAN}, "z": {"cosine_mean": 0.9}}},
    "nothing": {"outputs": {}},
    "older": {},
}
MEASURED = {
    "labelled": (0.985, 0.97, pytest.approx(0.005)),
    "plain": (None, 0.95, pytest.approx(0.05)),
    "integers": (None, 0.99, 0.5),
    "broken": (None, None, None),
    "nothing": (None, None, None),
    "older": (None, None, None),
}


@pytest.mark.parametrize("name", METRICS)
def test_what_is_searched_for_is_what_was_measured(name: str) -> None:
    assert tuple(measures(METRICS[name]).values()) == MEASURED[name]


def test_an_upgrade_fills_the_columns(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "farm.db"))
    with database.engine.begin() as connection:
        command.upgrade(migrate.config(connection), "0010")
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        model = dict.fromkeys(("id", "name", "digest", "graph_digest", "weights_digest", "blob"), "x")
        _insert(connection, "models", {**model, "inputs": "[]", "outputs": "[]", "nodes": 1, "size": 1})
        _insert(connection, "datasets", {"id": "x", "name": "x", "digest": "x", "samples": 1, "inputs": "{}"})
        for name, metrics in METRICS.items():
            values = {"id": name, "key": name, "model_id": "x", "dataset_id": "x", "simulated": True}
            _insert(connection, "verifications", {**values, "metrics": json.dumps(metrics)})
    migrate.prepare(database)
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT id, top1, cosine, lost FROM verifications"))
        assert {name: (top1, cosine, lost) for name, top1, cosine, lost in found} == MEASURED
    database.close()


def _insert(connection: Any, table: str, values: dict[str, Any]) -> None:
    columns = {**values, "created": "2026-01-01 00:00:00.000000"}
    names = ", ".join(columns)
    places = ", ".join(f":{name}" for name in columns)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), columns)  # noqa: S608 - ours
