"""`trtfarm tables`: tables of the farm and in files."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program
from trtfarm.tables.table import CalibrationTable

#: What programs rely on.
PROMISED = {"id", "model", "calibrator", "tensorrt", "batch_size", "tensors", "origin", "portable", "created"}
HEADER = "TRT-8503-MinMaxCalibration"
SOUND = "prob: 3c010204"


def _scale(value: float) -> str:
    return struct.pack(">f", value).hex()


#: What is wrong -> the table's lines, or its bytes.
DAMAGED: dict[str, list[str] | bytes] = {
    "zero": [HEADER, SOUND, "data: 00000000"],
    "negative": [HEADER, SOUND, f"data: {_scale(-0.5)}"],
    "not a number": [HEADER, SOUND, "data: 7fc00000"],
    "infinite": [HEADER, SOUND, "data: 7f800000"],
    "duplicate": [HEADER, SOUND, f"prob: {_scale(0.5)}"],
    "duplicate with the same scale": [HEADER, SOUND, SOUND],
    "no scale": [HEADER, SOUND, "data:"],
    "no separator": [HEADER, SOUND, "data 3c010204"],
    "too few digits": [HEADER, SOUND, "data: 3c0102"],
    "a decimal number": [HEADER, SOUND, "data: 0.0078740"],
    "no such algorithm": ["TRT-8503-MaxMinCalibration", SOUND],
    "no header": [SOUND],
    "no tensor": [HEADER],
    "empty": b"",
    "garbage": bytes(range(256)) * 16,
}


def test_tables_are_listed_with_all_that_was_promised(stocked: Stocked) -> None:
    [table] = stocked.program.json("tables", "list")
    assert table.keys() >= PROMISED
    assert table == stocked.facts["table"]
    assert (table["batch_size"], table["tensors"], table["origin"], table["portable"]) == (50, 12, "reference", True)
    header, line = stocked.program.ok("tables", "list").out.splitlines()
    assert header.split()[:2] == ["id", "model"]
    assert line.split()[0] == table["id"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--tensorrt", "8.5", "--model", "lenet", "--calibrator", "minmax", "--target", "sm_90"), 1),
        (("--tensorrt", "8"), 1),
        (("--calibrator", "entropy2"), 0),
    ],
)
def test_filters(stocked: Stocked, filters: tuple[str, ...], found: int) -> None:
    assert len(stocked.program.json("tables", "list", *filters)) == found


def test_a_table_is_shown_with_its_scales(stocked: Stocked) -> None:
    table = stocked.facts["table"]
    shown = stocked.program.json("tables", "show", table["id"][:-2])
    assert shown["scales"]["prob"] == "3c010204"
    assert shown["dataset"]["samples"] == 100
    assert "/c1/Conv_output_0" in stocked.program.ok("tables", "show", table["digest"]).out


def test_a_table_leaves_the_farm_and_comes_back(own_stock: Stocked, digits: Path, tmp_path: Path) -> None:
    program, table_id = own_stock.program, own_stock.facts["table"]["id"]
    path = tmp_path / "lenet.table"
    program.ok("tables", "export", table_id, "-o", path, "--tensorrt", "10.3.0")
    assert path.read_text().splitlines()[0] == "TRT-100300-MinMaxCalibration"
    imported = program.json("tables", "import", path, "--model", digits / "lenet.onnx")
    assert program.json("tables", "import", path, "--model", digits / "lenet.onnx") == imported
    newest, _ = program.json("tables", "list")
    assert newest["id"] == imported["id"] != table_id
    assert (newest["origin"], newest["tensorrt"], newest["calibrator"]) == ("imported", "10.3.0", "minmax")
    assert program.json("tables", "diff", table_id, imported["id"])["equal"] == 12


def test_a_table_that_was_imported_builds_engines(own_stock: Stocked, digits: Path, golden: Path) -> None:
    """Its calibrator is not asked for again, and one that contradicts it is refused."""
    program, path = own_stock.program, golden / "lenet" / "entropy2-bs50.table"
    error = program.fails(5, "submit", digits / "lenet.onnx", "--table", path, "--calibrator", "minmax")
    assert "entropy2" in error["message"]
    assert program.rows()["tables"] == 1
    facts = program.json("submit", digits / "lenet.onnx", "--table", path, "--target", "sm_89")
    assert facts["table"]["calibrator"] == facts["engines"][0]["calibrator"] == "entropy2"
    assert facts["engines"][0]["table"] == facts["table"]["id"]
    assert facts["verification"]["classification"]["candidate"]["top1"] > 0.9


def test_what_a_table_leaves_without_a_scale_is_told_before_anything_is_built(
    own_stock: Stocked, digits: Path, golden: Path, tmp_path: Path
) -> None:
    program, whole, half = own_stock.program, golden / "lenet" / "minmax-bs50.table", tmp_path / "half.table"
    half.write_text("".join(whole.read_text().splitlines(keepends=True)[:2]))
    words = ("submit", digits / "lenet.onnx", "--target", "sm_89", "--dry-run", "--table")
    assert f"warning: table {half}: 9 of 10 of the model's tensors have no scale: '/c1/" in program.ok(*words, half).err
    assert "warning" not in program.ok(*words, whole).err
    assert "warning" not in program.ok(*words, own_stock.facts["table"]["id"]).err


def test_diff_tells_how_tables_differ_by_its_exit_code_too(program: Program, golden: Path) -> None:
    lenet = golden / "lenet"
    differing = program.run("tables", "diff", lenet / "minmax-bs50.table", lenet / "entropy2-bs50.table", "--json")
    assert differing.code == 1
    assert differing.json["changed"]
    assert differing.err == ""
    same = program.ok("tables", "diff", lenet / "minmax-bs50.table", lenet / "minmax-bs50.table")
    assert same.out == "equal scales: 18, changed: 0\n"


def test_restamp_changes_the_header_alone(program: Program, golden: Path, tmp_path: Path) -> None:
    source, path = golden / "lenet" / "entropy2-bs50.table", tmp_path / "new.table"
    program.ok("tables", "restamp", source, "--tensorrt", "8.6.1", "-o", path)
    before, after = source.read_bytes().splitlines(), path.read_bytes().splitlines()
    assert after[0] == b"TRT-8601-EntropyCalibration2"
    assert after[1:] == before[1:]
    path.write_bytes(b"mine")
    legacy = golden / "lenet" / "legacy-bs50.table"
    assert program.fails(5, "tables", "restamp", legacy, "--tensorrt", "8.6.1", "-o", path)["code"] == "bad_table"
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("model", ["lenet", "zoo"])
def test_tables_that_tensorrt_wrote_are_sound(program: Program, golden: Path, model: str) -> None:
    files = sorted((golden / model).glob("*.table"))
    problems = program.json("tables", "validate", *files, "--model", golden / model / "model.onnx")
    assert list(problems) == [str(file) for file in files]
    assert not any(problem["severity"] == "error" for found in problems.values() for problem in found)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_table_is_not_sound(program: Program, content: list[str] | bytes) -> None:
    path = program.folder / "damaged.table"
    _write(path, content)
    ended = program.run("tables", "validate", path)
    assert ended.code == 5
    assert "error: " in ended.out
    assert ended.err == ""


def test_one_damaged_table_among_sound_ones_is_enough(program: Program, golden: Path) -> None:
    damaged, sound = program.folder / "damaged.table", golden / "lenet" / "minmax-bs50.table"
    damaged.write_text(f"{HEADER}\ndata: 00000000\n")
    ended = program.run("tables", "validate", sound, damaged, "--json")
    assert ended.code == 5
    assert ended.json[str(sound)] == []
    [problem] = ended.json[str(damaged)]
    assert (problem["line"], problem["tensor"], problem["severity"]) == (2, "data", "error")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--calibrator", "entropy2"), "minmax calibrator"),
        (("--tensorrt", "10.3.0"), "made by TensorRT 8.5.3"),
        (("--model", "zoo"), "not in the model"),
    ],
)
def test_a_table_may_be_sound_but_not_for_this(
    program: Program, golden: Path, options: tuple[str, str], what: str
) -> None:
    name, value = options
    value = str(golden / value / "model.onnx") if name == "--model" else value
    ended = program.run("tables", "validate", golden / "lenet" / "minmax-bs50.table", name, value)
    assert ended.code == 5
    assert what in ended.out


def test_a_name_that_moves_the_cursor_is_shown_harmless(program: Program) -> None:
    path = program.folder / "evil.table"
    path.write_bytes(f"{HEADER}\n\x1b[2J: 00000000\n".encode())
    ended = program.run("tables", "validate", path)
    assert "\x1b" not in ended.out
    assert "x1b[2J" in ended.out


def test_a_table_that_is_not_there(program: Program) -> None:
    assert program.fails(8, "tables", "validate", "gone.table")["code"] == "not_found"


#: What is wrong with a table, who is to take it, and what is said of it.
REFUSED = [
    ("another model's", "import", "not in the model"),
    ("another model's", "quantize", "not in the model"),
    ("another model's", "submit", "not in the model"),
    ("zero", "submit", "line 3, tensor 'data': the scale is zero"),
    ("negative", "quantize", "the scale is negative"),
    ("not a number", "import", "the scale is not a number"),
    ("duplicate", "submit", "line 3, tensor 'prob': the tensor is on line 2 too"),
    ("no separator", "import", "line 3: not a line of a table"),
    ("no such algorithm", "quantize", "MaxMinCalibration"),
]


@pytest.mark.parametrize(("wrong", "command", "said"), REFUSED)
def test_an_unfit_table_is_taken_by_nobody(
    builder: Program, golden: Path, digits: Path, *, wrong: str, command: str, said: str
) -> None:
    table, model, out = builder.folder / "unfit.table", digits / "lenet.onnx", builder.folder / "out.onnx"
    if wrong in DAMAGED:
        _write(table, DAMAGED[wrong])
    else:
        shutil.copy(golden / "zoo" / "minmax-bs50.table", table)
    arguments = {
        "import": ("tables", "import", table, "--model", model),
        "submit": ("submit", model, "--table", table),
        "quantize": ("quantize", model, "--table", table, "-o", out),
    }
    error = builder.fails(5, *arguments[command])
    assert error["code"] == "bad_table"
    assert said in error["message"]
    assert error["remedy"]
    _holds_nothing(builder)
    assert not out.exists()


def test_a_table_of_another_algorithm_than_the_one_asked_for_is_refused(
    builder: Program, golden: Path, digits: Path
) -> None:
    table = golden / "lenet" / "minmax-bs50.table"
    error = builder.fails(5, "submit", digits / "lenet.onnx", "--table", table, "--calibrator", "entropy2")
    assert "minmax calibrator, and entropy2 is asked for" in error["message"]
    _holds_nothing(builder)


def test_what_cannot_be_a_table_is_not_read(program: Program) -> None:
    """A pipe that nobody writes to would be waited for, a device without an end read for ever."""
    pipe = program.folder / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        assert program.fails(8, "tables", "validate", path)["cause"] == "not a regular file"
    assert program.fails(2, "tables", "extract", program.folder, "-o", "/dev/null")["message"].startswith("/dev/null")
    assert Path("/dev/null").is_char_device()


def _write(path: Path, content: list[str] | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode())


def _holds_nothing(program: Program) -> None:
    assert program.rows() == {}
    assert program.blobs() == []
    assert program.scratch() == []


def test_exported_tables_are_what_was_stored(stocked: Stocked, tmp_path: Path) -> None:
    path = tmp_path / "lenet.table"
    told = stocked.program.json("tables", "export", stocked.facts["table"]["id"], "-o", path)
    assert told == {"path": str(path), "header": "TRT-8503-MinMaxCalibration", "tensors": 12}
    assert CalibrationTable.parse(path.read_bytes()).digest == stocked.facts["table"]["digest"]
