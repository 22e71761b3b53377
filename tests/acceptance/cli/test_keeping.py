"""Keeping engines, cleaning up, and checking what is stored, as commands."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.cli.conftest import Stocked
from trtfarm_cli.output import size


def test_what_is_kept_stays_and_the_rest_goes(own_stock: Stocked) -> None:
    program, (first, second) = own_stock.program, own_stock.facts["engines"]
    program.ok("engines", "pin", first["id"])
    assert program.json("engines", "label", first["id"], "prod") == {
        "id": first["id"],
        "pinned": True,
        "labels": ["prod"],
    }
    assert [engine["id"] for engine in program.json("engines", "list", "--label", "prod")] == [first["id"]]
    assert program.json("clean", "--unused-for", "1d")["engines"] == []
    planned = program.json("clean", "--keep", "0B", "--dry-run")
    told = program.ok("clean", "--keep", "0B", "--dry-run").out.splitlines()[-1]
    assert told == f"1 engine and 0 other files would go ({size(second['size'])})"
    assert [engine["id"] for engine in planned["engines"]] == [second["id"]]
    assert program.rows()["engines"] == 2
    assert program.fails(2, "engines", "rm", first["id"])["code"] == "usage"
    assert program.json("clean", "--keep", "0B")["engines"] == planned["engines"]
    assert program.rows()["engines"] == 1
    program.ok("engines", "unpin", first["id"])
    assert program.ok("engines", "unlabel", first["id"], "prod").out == f"{first['id']}: clean-up may take it\n"
    assert program.fails(8, "engines", "unlabel", first["id"], "prod")["code"] == "not_found"
    assert program.fails(2, "clean", "--unused-for", "long")["code"] == "usage"


def test_a_damaged_engine_is_found_removed_and_built_again(own_stock: Stocked, digits: Path) -> None:
    program, engine = own_stock.program, own_stock.facts["engines"][0]
    assert "0 damaged" in program.ok("fsck").out
    name = engine["digest"].removeprefix("sha256:")
    blob = program.home / "blobs" / "sha256" / name[:2] / name[2:]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[::-1])
    found = program.run("fsck", "--json")
    assert found.code == 1
    (finding,) = found.json["findings"]
    assert (finding["digest"], finding["damage"], finding["repaired"]) == (engine["digest"], "corrupt", False)
    assert finding["named_by"] == [f"engines {engine['id']}"]
    assert blob.exists()
    assert "corrupt (repaired)" in program.ok("fsck", "--repair").out
    assert not blob.exists()
    again = program.json("submit", digits / "lenet.onnx")
    assert {step["state"] for step in again["steps"] if step["name"].startswith("build sm_86")} == {"done"}
    program.ok("fsck")
