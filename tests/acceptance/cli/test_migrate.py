"""`trtfarm migrate`: databases of earlier releases, of a later one, and two who upgrade at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.cli.forks import Forks
from tests.acceptance.cli.program import Program
from tests.releases.dump import Dump
from trtfarm.database.migrate import HEAD
from trtfarm.database.session import open_database, sqlite_url

OLD = "0003"


@pytest.fixture
def program(tmp_path: Path, forks: Forks) -> Program:
    """With a farm that has no database yet."""
    return Program(home=tmp_path / "home", folder=tmp_path, forks=forks)


@pytest.fixture
def old(program: Program) -> Path:
    """The database of a farm that an earlier release left, in the program's home."""
    path = program.home / "farm.db"
    database = open_database(sqlite_url(path))
    Dump.read(OLD).restore(database)
    database.close()
    return path


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_a_dry_run_says_what_an_upgrade_then_does(program: Program, old: Path) -> None:
    planned = program.json("migrate", "--dry-run")
    assert (planned["found"], planned["head"], planned["dry_run"]) == (OLD, HEAD, True)
    assert planned["steps"][0] == {"revision": "0004", "summary": "A model is found by every name that it came under."}
    assert planned["steps"][-1]["revision"] == HEAD
    assert revision_of(old) == OLD
    assert program.json("migrate") == planned | {"dry_run": False}
    assert revision_of(old) == HEAD
    again = program.ok("migrate")
    assert again.out == ""
    assert f"the database is at {HEAD}, as this release wants it" in again.err
    assert {engine["model"] for engine in program.json("engines", "list")} == {"lenet"}


def test_a_dry_run_makes_nothing(program: Program) -> None:
    planned = program.json("migrate", "--dry-run")
    assert (planned["found"], planned["steps"][0]["revision"]) == (None, "0001")
    assert not (program.home / "farm.db").exists()
    assert "from none to" in program.ok("migrate").err


def test_two_at_once_do_it_once(program: Program, old: Path) -> None:
    program = replace(program, forks=None)  # which are one at a time
    with ThreadPoolExecutor(2) as pool:
        done = [future.result() for future in [pool.submit(program.json, "migrate") for _ in range(2)]]
    assert sorted(way["found"] for way in done) == [OLD, HEAD]
    assert sorted(len(way["steps"]) == 0 for way in done) == [False, True]
    assert revision_of(old) == HEAD


def test_a_database_of_a_newer_release_is_refused_and_left_alone(program: Program, old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = old.read_bytes()
    for command in (["migrate"], ["migrate", "--dry-run"], ["engines", "list"]):
        refused = program.fails(15, *command)
        assert refused["code"] == "schema"
        assert "9999" in refused["message"]
        assert "upgrade trtfarm" in refused["remedy"]
    assert old.read_bytes() == before


def test_a_server_elsewhere_upgrades_its_own(program: Program) -> None:
    refused = program.fails(2, "migrate", TRTFARM_URL="http://127.0.0.1:9")
    assert "farm's own host" in refused["message"]
