"""`--search`: nodes that INT8 spoils are found, by `quantize` from files to files and by `submit` as a step."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.acceptance.cli.program import Program

_GATE = 7
_USAGE = 2


@pytest.fixture
def spoiled(digits: Path, golden: Path, tmp_path: Path) -> tuple[Path, str]:
    """A table with a range that is far too small for what one node reads, and that node's name."""
    lenet = onnx.load(digits / "lenet.onnx")
    victim = next(item for item in lenet.graph.node if item.op_type == "Gemm")
    lines = (golden / "lenet" / "minmax-bs50.table").read_text().splitlines()
    name = f"{victim.input[0]}: "
    path = tmp_path / "spoiled.table"
    path.write_text("\n".join(f"{name}37000000" if line.startswith(name) else line for line in lines) + "\n")
    return path, victim.name or victim.output[0]


def test_quantize_finds_the_spoiled_node_and_verifies_on_other_data(
    program: Program, digits: Path, spoiled: tuple[Path, str]
) -> None:
    table, victim = spoiled
    made = program.folder / "q.onnx"
    request = ("quantize", digits / "lenet.onnx", "--table", table, "-o", made, "--data", digits)
    ended = program.ok(*request, "--search", "--max-drop", "5%", "--json")
    assert [item["node"] for item in ended.json["search"]["found"]] == [victim]
    assert ended.json["search"]["measure"] == "top1", "the test data has labels"
    assert victim not in ended.json["quantized"]
    assert ended.json["verification"]["samples"] == 50
    assert made.exists()
    assert program.rows() == {}


def test_an_aim_that_is_missed_is_told_and_writes_nothing(
    program: Program, digits: Path, spoiled: tuple[Path, str]
) -> None:
    unlabelled = shutil.copytree(digits, program.folder / "unlabelled")
    (unlabelled / "test" / "labels.npy").unlink()
    request = ("quantize", digits / "lenet.onnx", "--table", spoiled[0], "-o", "q.onnx", "--data", unlabelled)
    error = program.fails(_GATE, *request, "--search", "--max-drop", "0")
    assert "whichever of its nodes" in error["message"]
    assert not (program.folder / "q.onnx").exists()


def test_without_held_out_data_a_search_is_refused(program: Program, digits: Path, spoiled: tuple[Path, str]) -> None:
    np.save(program.folder / "data.npy", np.load(digits / "data.npy"))
    request = ("quantize", digits / "lenet.onnx", "--table", spoiled[0], "-o", "q.onnx", "--data", "data.npy")
    error = program.fails(_USAGE, *request, "--search", "--max-drop", "5%")
    assert "--test-data" in error["remedy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--search",), "how much may be lost"), (("--max-drop", "1%", "--data", "x.npy"), "only for --search")],
)
def test_options_that_belong_together(
    program: Program, digits: Path, spoiled: tuple[Path, str], options: tuple[str, ...], message: str
) -> None:
    request = ("quantize", digits / "lenet.onnx", "--table", spoiled[0], "-o", "q.onnx")
    assert message in program.fails(_USAGE, *request, *options)["message"]


def test_submit_searches_verifies_and_builds_what_was_found(
    builder: Program, digits: Path, spoiled: tuple[Path, str]
) -> None:
    table, victim = spoiled
    request = ("submit", digits / "lenet.onnx", "--table", table, "--max-drop", "5%", "--target", "sm_89")
    refused = builder.fails(_GATE, *request)
    assert "--search" in refused["remedy"]
    facts = builder.json(*request, "--search")
    assert [step["name"].split(" ")[0] for step in facts["steps"]] == ["search", "verify", "build"]
    searched = facts["search"]
    assert [item["node"] for item in searched["found"]] == [victim]
    assert searched["before"]["loss"] > 0.05 >= searched["after"]["loss"]
    shown = builder.ok("engines", "show", facts["engines"][0]["id"]).out
    assert victim in shown
    assert "by itself it loses" in shown
    again = builder.ok(*request, "--search")
    assert "hit: everything was there already" in again.out
    assert f"search    1 node in float, {victim}" in again.out


def test_a_search_with_other_limits_is_another_search(
    builder: Program, digits: Path, spoiled: tuple[Path, str]
) -> None:
    request = ("submit", digits / "lenet.onnx", "--table", spoiled[0], "--search", "--target", "sm_89")
    builder.ok(*request, "--max-drop", "5%")
    explained = builder.json(*request, "--max-drop", "6%", "--dry-run")
    assert list(explained[0]["nearest"]["differs"]) == ["allowed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--search",), "how much may be lost"), (("--search", "--precision", "fp16", "--max-drop", "1%"), "--search")],
)
def test_submit_refuses_a_search_that_cannot_be(
    program: Program, digits: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in program.fails(_USAGE, "submit", digits / "lenet.onnx", *options)["message"]
