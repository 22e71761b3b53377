"""Engines are signed when they are built, and nothing is handed out or taken that no trusted key signed."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program

_SIGNATURE = 11


@pytest.fixture
def engine(own_stock: Stocked) -> dict[str, Any]:
    found: dict[str, Any] = own_stock.facts["engines"][0]
    return found


def change(program: Program, assignment: str) -> None:
    """What somebody with access to the database could do."""
    with closing(sqlite3.connect(program.home / "farm.db")) as database, database:
        database.execute(f"UPDATE engines SET {assignment}")  # noqa: S608 - the test's own words


def test_what_a_farm_built_is_signed_with_its_own_key(own_stock: Stocked, engine: dict[str, Any]) -> None:
    program = own_stock.program
    (key,) = program.json("keys", "list")
    assert key["own"]
    assert stat.S_IMODE(Path(key["path"]).stat().st_mode) == 0o600
    assert program.json("engines", "show", engine["id"])["signed_by"] == key["key"]
    program.ok("engines", "pull", engine["id"], "-o", "lenet.engine")
    checked = program.json("engines", "check", "lenet.engine")
    assert (checked["signed_by"], checked["own"]) == (key["key"], True)
    assert checked["plan"] == engine["digest"]
    assert checked["compute_capability"] == "sm_86"
    assert key["key"] in program.ok("engines", "check", "lenet.engine").out


def test_an_engine_passed_off_as_one_for_another_gpu_is_not_handed_out(
    own_stock: Stocked, engine: dict[str, Any]
) -> None:
    program = own_stock.program
    change(program, "compute_capability = 'sm_120'")
    error = program.fails(_SIGNATURE, "engines", "pull", engine["id"], "-o", "lenet.engine")
    assert error["code"] == "signature"
    assert "does not fit" in error["message"]
    assert not (program.folder / "lenet.engine").exists()
    assert not program.json("engines", "pull", engine["id"], "--no-verify", "-o", "lenet.engine")["verified"]
    program.fails(_SIGNATURE, "engines", "check", "lenet.engine")


def test_an_unsigned_engine_is_vouched_for_or_built_again(own_stock: Stocked, engine: dict[str, Any]) -> None:
    program = own_stock.program
    change(program, "signature = NULL, signing_key = NULL")
    error = program.fails(_SIGNATURE, "engines", "pull", engine["id"], "-o", "lenet.engine")
    assert f"trtfarm engines sign {engine['id']}" in error["remedy"]
    assert program.json("engines", "pull", engine["id"], "--no-verify", "-o", "bare.engine")["signature"] is None
    assert "no signature" in program.fails(_SIGNATURE, "engines", "check", "bare.engine")["message"]
    assert program.json("engines", "sign", engine["id"]) == {"signed": [engine["id"]]}
    assert program.json("engines", "pull", engine["id"], "-o", "lenet.engine")["verified"]
    assert program.fails(2, "engines", "sign", engine["id"])["message"] == f"signed already: {engine['id']}"


def test_a_changed_file_is_told(own_stock: Stocked, engine: dict[str, Any]) -> None:
    program, path = own_stock.program, own_stock.program.folder / "lenet.engine"
    program.ok("engines", "pull", engine["id"], "-o", path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "not the engine that was signed" in program.fails(_SIGNATURE, "engines", "check", path)["message"]


def test_a_key_that_others_can_read_signs_nothing(own_stock: Stocked, digits: Path) -> None:
    program = own_stock.program
    (program.home / "keys" / "signing.pem").chmod(0o644)
    ended = program.run("submit", digits / "lenet.onnx", "--target", "sm_89", "--fresh", "--json")
    assert ended.code == _SIGNATURE
    assert "chmod 600" in ended.error["remedy"]
    assert program.fails(_SIGNATURE, "keys", "list")["code"] == "signature"


def test_engines_of_another_farm_are_taken_when_its_key_is_trusted(
    own_stock: Stocked, engine: dict[str, Any], tmp_path: Path
) -> None:
    builder = own_stock.program
    program = replace(builder, home=tmp_path / "another", folder=tmp_path)
    builder.ok("engines", "pull", engine["id"], "-o", "lenet.engine")
    taken = builder.folder / "lenet.engine"
    assert "not trusted" in program.fails(_SIGNATURE, "engines", "check", taken)["message"]
    builder.ok("keys", "export", "-o", "farm.pem")
    trusted = program.json("keys", "trust", builder.folder / "farm.pem")
    assert not program.json("engines", "check", taken)["own"]
    assert trusted["key"] in program.ok("keys", "list").out
    program.ok("keys", "remove", trusted["key"][:20])
    program.fails(_SIGNATURE, "engines", "check", taken)


def test_a_private_key_is_not_handed_around(program: Program) -> None:
    public = program.ok("keys", "export").out
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    private = program.home / "keys" / "signing.pem"
    error = program.fails(_SIGNATURE, "keys", "trust", private)
    assert private.read_text().splitlines()[1] not in str(error)
    assert program.fails(2, "keys", "remove", "ed25519:")["code"] == "usage"


def test_a_fleets_key_that_is_not_there_is_told_before_anything_is_built(builder: Program, digits: Path) -> None:
    nowhere = str(builder.folder / "fleet.pem")
    model, target = digits / "lenet.onnx", "sm_89"
    ended = builder.run("submit", model, "--target", target, "--json", TRTFARM_SIGNING_KEY=nowhere)
    assert ended.code == _SIGNATURE
    assert "TRTFARM_SIGNING_KEY" in ended.error["message"]
    assert "engines" not in builder.rows()
