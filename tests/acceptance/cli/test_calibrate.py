"""`trtfarm calibrate` and `trtfarm quantize`: from files to files, with nothing kept in between."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.acceptance.cli.program import Program
from tests.unit.datasets.samples import feeds
from tests.unit.onnx_models import make_model, node, weights
from trtfarm.tables.scales import amax_from_hex
from trtfarm.tables.table import CalibrationTable

#: TensorRT's maxima and ONNX Runtime's come from other sums of the same products.
_ROUNDING = 1e-5
_NAMELESS = re.compile(r"\(Unnamed Layer\*.*\[(?!Matrix Multiply)")


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("minmax-bs50", ("--calibrator", "minmax", "--batch-size", "50")),
        ("entropy2-bs10", ("--calibrator", "entropy2", "--batch-size", "10")),
        ("entropy-bs50", ("--calibrator", "entropy", "--batch-size", "50", "--before-fusion")),
        ("legacy-bs50-q0.99", ("--calibrator", "legacy", "--quantile", "0.99", "--cutoff", "1", "--batch-size", "50")),
    ],
)
def test_the_table_is_the_one_that_tensorrt_wrote(
    program: Program, golden: Path, table: str, options: tuple[str, ...]
) -> None:
    path = program.folder / "mine.table"
    program.ok(
        "calibrate", golden / "lenet" / "model.onnx", "--data", golden / "lenet" / "calib.npy", *options, "-o", path
    )
    expected = CalibrationTable.parse((golden / "lenet" / f"{table}.table").read_bytes())
    mine = CalibrationTable.parse(path.read_bytes())
    assert mine.header == expected.header
    # The product within a Gemm has no name in ONNX, nor has it in TensorRT, which numbers it; constants have no range.
    theirs = {name: scale for name, scale in expected.scales.items() if not _NAMELESS.search(name)}
    assert [name for name in mine.scales if not name.endswith("#product")] == [
        name for name in theirs if "[Matrix Multiply]" not in name
    ]
    pairs = zip(mine.scales.values(), theirs.values(), strict=True)
    ratios = [amax_from_hex(scale) / amax_from_hex(other) for scale, other in pairs]
    assert sum(abs(ratio - 1) < _ROUNDING for ratio in ratios) >= 0.9 * len(ratios)
    assert program.rows() == {}
    assert program.scratch() == []


def test_data_is_found_by_the_name_of_the_input(program: Program, digits: Path) -> None:
    """In the current folder's calib_data, by a relative path; stdout tells what was written, as data."""
    shutil.copy(digits / "lenet.onnx", program.folder)
    found = program.folder / "calib_data" / "lenet"
    found.mkdir(parents=True)
    shutil.copy(digits / "data.npy", found)
    ended = program.ok("calibrate", "lenet.onnx", "-o", "lenet.table", "--tensorrt", "10.3.0", "--json")
    assert "calib_data/lenet/data.npy" in ended.err
    assert ended.json["path"] == "lenet.table"
    assert (ended.json["samples"], ended.json["batches"]) == (100, 2)
    text = (program.folder / "lenet.table").read_text()
    assert text.splitlines()[0] == ended.json["header"] == "TRT-100300-MinMaxCalibration"
    assert dict(line.split(": ") for line in text.splitlines()[1:]) == ended.json["scales"]


def test_every_form_of_data_gives_the_same_table(program: Program, digits: Path) -> None:
    model, values = digits / "lenet.onnx", np.load(digits / "data.npy")
    np.savez_compressed(program.folder / "digits.npz", data=values, label=np.zeros(len(values)))
    np.save(program.folder / "bytes.npy", np.rint(values * 255).astype(np.uint8))
    (program.folder / "data.toml").write_text('[inputs.data]\npath = "bytes.npy"\ndivide = 255.0\ndtype = "float32"\n')
    feeds(program.folder / "saved.json", {"data": values[:60]}, {"data": values[60:]})
    values.tofile(program.folder / "digits.bin")
    named = f"data={digits / 'data.npy'}"
    for number, form in enumerate((digits, named, "digits.npz", "saved.json", "data=digits.bin", "data.toml")):
        program.ok("calibrate", model, "--data", str(form), "-o", f"{number}.table", "--batch-size", "100")
    tables = {(program.folder / f"{number}.table").read_bytes() for number in range(5)}
    assert len(tables) == 1
    program.ok("tables", "validate", "5.table", "--model", model, "--calibrator", "minmax")
    before = (program.folder / "digits.npz").read_bytes()
    error = program.fails(2, "calibrate", model, "--data", "digits.npz", "-o", "digits.npz")
    assert "it is what is read" in error["message"]
    assert (program.folder / "digits.npz").read_bytes() == before


def test_shards_give_the_very_same_file(program: Program, digits: Path) -> None:
    command = ("calibrate", digits / "lenet.onnx", "--calibrator", "entropy2", "--batch-size", "10")
    program.ok(*command, "-o", "whole.table")
    told = program.json(*command, "-o", "shards.table", "--shards", "3")
    assert (told["samples"], told["batches"]) == (100, 10)
    whole, shards = ((program.folder / f"{name}.table").read_bytes() for name in ("whole", "shards"))
    assert whole == shards
    error = program.fails(2, *command, "-o", "shards.table", "--shards", "11")
    assert "cannot be cut into 11 shards" in error["message"]
    assert "--shards 10" in error["remedy"]
    assert program.scratch() == []


def test_the_share_that_fails_ends_the_others(program: Program) -> None:
    """Its error is the program's, and no builder goes on."""
    nodes = [node("Cast", ["x"], "ids", to=onnx.TensorProto.INT64), node("Gather", ["w", "ids"], "y")]
    onnx.save_model(make_model(nodes, {"x": ["N", 2]}, ["y"], {"w": weights(1, 10, 4)}), program.folder / "gather.onnx")
    values = np.ones((100, 2), np.float32)
    values[95] = 99
    np.save(program.folder / "x.npy", values)
    command = ("calibrate", "gather.onnx", "--data", "x.npy", "--batch-size", "10", "-o", "mine.table")
    error = program.fails(4, *command, "--shards", "5")
    assert "indices element out of data bounds" in f"{error['message']} {error['cause']}"
    assert not (program.folder / "mine.table").exists()
    assert program.processes() == []


@pytest.mark.parametrize(
    "options",
    [
        ("--calibrator", "median"),
        ("--calibrator", "minmax", "--quantile", "0.5"),
        ("--calibrator", "legacy", "--quantile", "1.5"),
        ("--batch-size", "0"),
        ("--batch-size", "many"),
        ("--tensorrt", "10.3"),
        ("--calibrator", "legacy", "--after-fusion"),
        ("--calibrator", "entropy2", "--after-fusion"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_are_refused_and_the_file_stays(
    program: Program, digits: Path, options: tuple[str, ...]
) -> None:
    path = program.folder / "mine.table"
    path.write_text("what was there before")
    error = program.fails(2, "calibrate", digits / "lenet.onnx", "-o", path, *options)
    assert error["code"] == "usage"
    assert error["remedy"]
    assert path.read_text() == "what was there before"


def test_a_folder_that_is_missing_is_told_before_the_work(program: Program, digits: Path) -> None:
    ended = program.run("calibrate", digits / "lenet.onnx", "-o", "nowhere/lenet.table")
    assert ended.code == 2
    assert ended.err.startswith("error: there is no folder nowhere\nwhat to do: ")


def test_a_model_is_quantised_with_a_table(program: Program, digits: Path, golden: Path) -> None:
    table, path = golden / "lenet" / "entropy2-bs50.table", program.folder / "int8.onnx"
    told = program.json("quantize", digits / "lenet.onnx", "--table", table, "-o", path, "--exclude", "/c1/*")
    assert set(told["quantized"]) == {"/c2/Conv", "/f1/Gemm", "/f2/Gemm"}
    assert [left["node"] for left in told["left"]] == ["/c1/Conv"]
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) >= 6
    everything = program.ok("quantize", digits / "lenet.onnx", "--table", table, "-o", "all.onnx")
    assert everything.out.startswith("all.onnx: 4 nodes quantised, 0 left in float")
    assert json.dumps(told["left"]) not in everything.out


def test_a_pattern_that_fits_no_node_is_refused(program: Program, digits: Path, golden: Path) -> None:
    table, path = golden / "lenet" / "entropy2-bs50.table", program.folder / "int8.onnx"
    error = program.fails(2, "quantize", digits / "lenet.onnx", "--table", table, "-o", path, "--exclude", "/c9/*")
    assert "/c9/*" in error["message"]
    assert not path.exists()
