"""`trtfarm submit`: the main job, found again, gated, explained."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program

#: Scales that no digit survives.
_RUINOUS = ("--calibrator", "legacy", "--quantile", "0.3")


def test_a_submission_tells_what_it_made(stocked: Stocked) -> None:
    facts = stocked.facts
    assert (facts["state"], facts["hit"]) == ("done", False)
    assert [engine["compute_capability"] for engine in facts["engines"]] == ["sm_86", "sm_89"]
    assert all(engine["int8_layers"] > 0 for engine in facts["engines"])
    assert facts["verification"]["simulated"] is True
    classes = facts["verification"]["classification"]
    assert classes["candidate"]["top1"] > classes["reference"]["top1"] - 0.01
    assert stocked.program.states() == {"done"}
    assert stocked.program.scratch() == []
    assert stocked.program.rows() == {
        "models": 1,
        "datasets": 2,
        "tables": 1,
        "quantizations": 1,
        "engines": 2,
        "verifications": 1,
        "submissions": 1,
        "jobs": 5,
        "blobs": len(stocked.program.blobs()),
    }


def test_the_same_again_is_a_hit_and_says_so(own_stock: Stocked, digits: Path) -> None:
    """Progress goes to stderr; stdout is the result alone."""
    program = own_stock.program
    ended = program.ok("submit", digits / "lenet.onnx")
    first, *_, last = ended.out.splitlines()
    assert "hit: everything was there already" in first
    assert last == f"kept in   {program.home}"
    assert all(engine["id"] in ended.out for engine in own_stock.facts["engines"])
    assert str(digits / "data.npy") in ended.err
    assert program.rows()["jobs"] == 5


def test_a_dry_run_says_what_would_be_done(own_stock: Stocked, digits: Path) -> None:
    program = own_stock.program
    rows = program.rows()
    new = program.json("submit", digits / "lenet.onnx", "--target", "86", "--target", "120", "--dry-run")
    hits = {step["step"].split(" tensorrt")[0]: step["hit"] for step in new}
    assert hits == {"calibrate": True, "quantize": True, "verify": True, "build sm_86": True, "build sm_120": False}
    assert list(new[-1]["nearest"]["differs"]) == ["compute_capability"]
    text = program.ok("explain", digits / "lenet.onnx", "--batch-size", "10").out
    assert "batch_size: 10 was asked for, 50 is stored" in text
    assert program.rows() == rows


def test_a_job_explains_why_it_was_no_hit(own_stock: Stocked, digits: Path) -> None:
    program = own_stock.program
    facts = program.json("submit", digits / "lenet.onnx", "--calibrator", "entropy2", "--target", "sm_89")
    job = next(step["job"] for step in facts["steps"] if step["name"] == "calibrate")
    explained = program.json("explain", job)
    assert list(explained["nearest"]["differs"]) == ["calibrator"]
    assert "calibrator: entropy2 was asked for, minmax is stored" in program.ok("explain", job[:-1]).out


def test_a_gate_that_is_not_passed_builds_nothing(own_stock: Stocked, digits: Path) -> None:
    """The same again finds the verification there, and is refused by it at once."""
    program = own_stock.program
    engines = program.rows()["engines"]
    for calibration in ("done", "hit"):
        error = program.fails(7, "submit", digits / "lenet.onnx", *_RUINOUS, "--max-drop", "1%")
        assert error["code"] == "gate"
        assert "1.00% was allowed" in error["message"]
        steps = {step["name"].split()[0]: step["state"] for step in error["submission"]["steps"]}
        assert steps == {"calibrate": calibration, "quantize": calibration, "verify": "failed", "build": "skipped"}
        assert error["submission"]["verification"]["classification"]["candidate"]["top1"] < 0.5
    assert program.rows()["engines"] == engines


def test_a_gate_that_is_passed_lets_through(own_stock: Stocked, digits: Path) -> None:
    ended = own_stock.program.ok("submit", digits / "lenet.onnx", "--max-drop", "1%", "--target", "89")
    assert "hit" in ended.out


def test_a_target_that_nothing_here_builds_is_told_with_those_that_can_be_built(builder: Program, digits: Path) -> None:
    error = builder.fails(6, "submit", digits / "lenet.onnx", "--target", "sm_90")
    assert error["code"] == "no_toolchain"
    assert "sm_75, sm_80, sm_86, sm_89, sm_120, sm_121" in error["remedy"]
    assert builder.rows() == {}


def test_without_a_toolchain_the_remedy_is_to_install_one(program: Program, digits: Path) -> None:
    ended = program.run("submit", digits / "lenet.onnx")
    assert ended.code == 6
    assert ended.out == ""
    assert ended.err.splitlines()[-1] == "what to do: trtfarm toolchain install tensorrt-rtx"


def test_fresh_does_everything_again(own_stock: Stocked, digits: Path) -> None:
    program = own_stock.program
    again = program.json("submit", digits / "lenet.onnx", "--fresh", "--target", "sm_89")
    assert {step["state"] for step in again["steps"]} == {"done"}
    assert again["table"]["id"] == own_stock.facts["table"]["id"]


def test_a_step_that_fails_leaves_what_was_done_before(own_stock: Stocked, digits: Path) -> None:
    """People see on stderr how far it came; the next try finds it."""
    ended = own_stock.program.run("submit", digits / "lenet.onnx", "--exclude", "*")
    assert ended.code == 3
    assert ended.out == ""
    assert "no node of the model can run in INT8" in ended.err
    assert own_stock.facts["table"]["id"] in ended.err


def test_a_node_that_the_model_lacks_is_told_before_anything_runs(builder: Program, digits: Path) -> None:
    for option in ("--exclude", "--keep-fp32"):
        command = ("submit", digits / "lenet.onnx", "--precision", "int8+fp16", option, "/c1/Con")
        assert "/c1/Conv" in str(builder.fails(2, *command)["cause"])
    assert builder.rows() == {}


def test_an_equal_model_of_another_name_is_found_by_both(own_stock: Stocked, digits: Path, tmp_path: Path) -> None:
    program = own_stock.program
    copy = shutil.copy(digits / "lenet.onnx", tmp_path / "copy.onnx")
    ended = program.ok("submit", copy, "--data", digits / "data.npy")
    assert "hit" in ended.out
    assert "lists as lenet" in ended.err
    assert program.json("engines", "list", "--model", "copy") == program.json("engines", "list", "--model", "lenet")
    assert program.json("engines", "list", "--model", "other") == []


def test_engines_without_int8_need_no_data(builder: Program, digits: Path) -> None:
    facts = builder.json("submit", digits / "lenet.onnx", "--precision", "fp32", "--target", "sm_89")
    assert [(engine["precision"], engine["int8_layers"]) for engine in facts["engines"]] == [("fp32", 0)]
    assert facts["table"] is None
