"""`trtfarm engines`: which there are, and getting them out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Stocked

#: What programs rely on.
PROMISED = {
    "id",
    "model",
    "model_digest",
    "precision",
    "calibrator",
    "table",
    "tensorrt",
    "toolchain",
    "compute_capability",
    "size",
    "digest",
    "created",
    "metrics",
}


def test_engines_are_listed_with_all_that_was_promised(stocked: Stocked) -> None:
    newest, oldest = stocked.program.json("engines", "list")
    assert newest.keys() >= PROMISED
    assert newest["created"] >= oldest["created"]
    assert {newest["compute_capability"], oldest["compute_capability"]} == {"sm_86", "sm_89"}
    assert newest["model"] == "lenet"
    assert newest["table"] == stocked.facts["table"]["id"]
    assert newest["metrics"]["classification"]["candidate"]["top1"] > 0.9


def test_people_get_a_line_for_each_engine(stocked: Stocked) -> None:
    header, *lines = stocked.program.ok("engines", "list").out.splitlines()
    assert header.split()[:3] == ["id", "model", "precision"]
    assert {line.split()[0] for line in lines} == {engine["id"] for engine in stocked.facts["engines"]}
    assert all("top-1" in line for line in lines)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--tensorrt", "1.7", "--calibrator", "MinMax", "--precision", "int8", "--model", "lenet"), 2),
        (("--target", "8.9"), 1),
        (("--tensorrt", "1.7.1.11"), 0),
    ],
)
def test_filters(stocked: Stocked, filters: tuple[str, ...], found: int) -> None:
    assert len(stocked.program.json("engines", "list", *filters)) == found


def test_a_filter_that_is_none_is_refused(stocked: Stocked) -> None:
    assert stocked.program.fails(2, "engines", "list", "--target", "ampere")["code"] == "usage"
    assert "'int8'" in stocked.program.fails(2, "engines", "list", "--precision", "int4")["message"]


def test_an_engine_is_shown_by_the_start_of_its_id_or_digest(stocked: Stocked) -> None:
    engine = stocked.facts["engines"][0]
    shown = stocked.program.json("engines", "show", engine["id"][:-3])
    assert shown["id"] == engine["id"]
    assert {facts["name"] for facts in shown["io"]} == {"data", "prob"}
    assert 0 < shown["int8_layers"] < shown["layer_count"] == len(shown["layers"])
    text = stocked.program.ok("engines", "show", engine["digest"][:20], "--layers").out
    assert engine["id"] in text
    assert "top-1" in text
    assert text.split("\n\n")[1].splitlines()[0].split("  ")[0] == "layer"
    assert len(text.split("\n\n")[1].splitlines()) == shown["layer_count"] + 1


def test_what_differs_between_two_engines(stocked: Stocked) -> None:
    first, second = (engine["id"] for engine in stocked.facts["engines"])
    told = stocked.program.run("engines", "diff", first, second, "--json")
    assert told.code == 1
    found = told.json
    assert found["engines"] == [first, second]
    assert found["facts"]["compute_capability"] == ["sm_86", "sm_89"]
    assert not {"model", "table", "precision", "tensorrt"} & found["facts"].keys()
    assert (found["options"], found["accuracy"], found["computed_otherwise"]) == ({}, {}, [])
    assert found["layers"]["int8"] == [7, 7]
    lines = [line.split() for line in stocked.program.run("engines", "diff", first, second).out.splitlines()]
    assert ["compute", "capability", "sm_86", "sm_89"] in lines
    assert ["int8", "7", "layers", "7", "layers"] in lines
    assert stocked.program.json("engines", "diff", first, first)["same_plan"]


def test_an_engine_is_pulled_with_the_bytes_of_its_digest(stocked: Stocked, tmp_path: Path) -> None:
    engine = stocked.facts["engines"][0]
    path = tmp_path / "lenet.engine"
    pulled = stocked.program.json("engines", "pull", engine["id"], "-o", path)
    engine_facts = {"id": engine["id"], "path": str(path), "size": engine["size"], "digest": engine["digest"]}
    assert pulled == {**engine_facts, "signature": f"{path}.sig", "verified": True}
    content = path.read_bytes()
    assert len(content) == engine["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == engine["digest"]


def test_a_submission_writes_its_engines_to_a_folder(own_stock: Stocked, digits: Path, tmp_path: Path) -> None:
    command = ("submit", digits / "lenet.onnx", "-o", tmp_path / "engines")
    assert "leave --dry-run" in own_stock.program.fails(2, *command, "--dry-run")["remedy"]
    facts = own_stock.program.json(*command)
    assert facts["hit"]
    for engine in facts["engines"]:
        path = tmp_path / "engines" / f"lenet-int8-{engine['compute_capability']}.engine"
        assert engine["path"] == str(path)
        assert f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" == engine["digest"]
    assert len(list((tmp_path / "engines").iterdir())) == 2 * len(facts["engines"])


def test_a_damaged_engine_is_not_handed_out_but_built_again(own_stock: Stocked, digits: Path, tmp_path: Path) -> None:
    program, engine = own_stock.program, own_stock.facts["engines"][0]
    name = engine["digest"].removeprefix("sha256:")
    blob = program.home / "blobs" / "sha256" / name[:2] / name[2:]
    blob.chmod(0o644)
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.write_bytes(content)
    path = tmp_path / "lenet.engine"
    path.write_bytes(b"what was there before")
    assert program.fails(10, "engines", "pull", engine["id"], "-o", path)["code"] == "corrupt_blob"
    assert path.read_bytes() == b"what was there before"
    again = program.json("submit", digits / "lenet.onnx")
    assert {step["name"]: step["state"] for step in again["steps"]}[f"build sm_86 {engine['toolchain']}"] == "done"
    program.ok("engines", "pull", engine["id"], "-o", path)


def test_a_removed_engine_and_its_bytes_are_gone(own_stock: Stocked) -> None:
    program, (first, second) = own_stock.program, own_stock.facts["engines"]
    before = len(program.blobs())
    error = program.fails(8, "engines", "rm", first["id"], second["id"] + "x")
    assert second["id"] in error["remedy"]
    assert program.rows()["engines"] == 2
    assert program.json("engines", "rm", first["id"][:-2]) == {"removed": [first["id"]]}
    assert program.rows()["engines"] == 1
    assert len(program.blobs()) == before - 2
    program.ok("engines", "pull", "eng_")
    assert (program.folder / "lenet-int8-sm_89.engine").stat().st_size == second["size"]


def test_a_start_that_many_ids_have_is_refused(stocked: Stocked) -> None:
    error = stocked.program.fails(2, "engines", "show", "eng_")
    assert all(engine["id"] in error["cause"] for engine in stocked.facts["engines"])


def test_a_file_that_cannot_be_written_is_told(stocked: Stocked) -> None:
    stocked.program.fails(2, "engines", "pull", stocked.facts["engines"][0]["id"], "-o", "nowhere/lenet.engine")
