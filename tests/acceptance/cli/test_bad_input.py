"""Unfit models and data are told what, why and what to do, with the right exit code; nothing is kept of them."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from tests.acceptance.cli.program import Program
from tests.unit.models.samples import model_of, saved, with_external

BAD_MODEL, BAD_DATA = 3, 4
Digits = NDArray[np.float32]


def not_onnx(path: Path) -> None:
    path.write_text("# LeNet\n")


def truncated_model(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def unknown_operator(path: Path) -> None:
    saved(model_of([helper.make_node("Frobnicate", ["x"], ["y"], name="/frob")], weights=[]), path)


def _external(location: str) -> Callable[[Path], None]:
    """A model that names this file for its weight, with weights at every place where they must not be."""

    def make(path: Path) -> None:
        with_external(path, location=location, length="64")
        (path.parent.parent / "outside.bin").write_bytes(bytes(64))
        (path.parent / "link.bin").symlink_to("../outside.bin")
        (path.parent / "hard.bin").hardlink_to(path.parent.parent / "outside.bin")

    return make


def _empty_input(path: Path) -> None:
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 0
    onnx.save(model, path)


def _pipe(path: Path) -> None:
    """Nobody writes to it: whoever opens it as a file waits for ever."""
    path.unlink()
    os.mkfifo(path)


#: What is done to the model's file, and what is said of it.
MODELS: dict[str, tuple[Callable[[Path], None], str]] = {
    "not onnx": (not_onnx, "it is text"),
    "truncated": (truncated_model, "cut short or damaged"),
    "unknown operator": (unknown_operator, "Frobnicate"),
    "external data missing": (_external("gone.bin"), "'gone.bin', which is not in"),
    "external data absolute": (_external("/etc/hostname"), "is not a relative path"),
    "external data above": (_external("../outside.bin"), "leads out of its folder"),
    "external data through a symlink": (_external("link.bin"), "a symbolic link"),
    "external data through a hard link": (_external("hard.bin"), "is a hard link"),
    "an input that holds nothing": (_empty_input, "dimension of size 0"),
    "a pipe": (_pipe, "not a regular file"),
    "missing": (Path.unlink, "No such file"),
}


def _pickled(path: Path) -> None:
    """A file that would run a command when it is unpickled."""

    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {path.parent / 'executed'}",)

    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (100, 1, 28, 28), }\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps(Evil()))


def _bomb(path: Path) -> None:
    """An archive whose list of members promises 2.8 GB in a few bytes."""
    samples = 900_000
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f4", "fortran_order": False, "shape": (samples, 1, 28, 28)}
    )
    size = member.tell() + samples * 28 * 28 * 4
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", member.getvalue() + bytes(10_000))
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        begin = content.index(signature) + at
        content[begin : begin + 4] = struct.pack("<L", size)
    path.write_bytes(content)


def _huge_header(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<L", 0xFFFFFFFF) + b"{" * 100_000)


def _spoilt(value: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        data: Digits = np.load(path)
        data[77, 0, 3, 4] = value
        np.save(path, data)

    return make


def _changed(change: Callable[[Digits], NDArray[np.generic]]) -> Callable[[Path], None]:
    return lambda path: np.save(path, change(np.load(path)))


#: What is done to the data's file, and what is said of it.
DATA: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "no data to calibrate with"),
    "wrong type": (_changed(lambda data: data.astype(np.complex64)), "elements of type <c8"),
    "another type": (_changed(lambda data: data.astype(np.float64)), "float64, but the model's input is data (float32"),
    "wrong shape": (_changed(lambda data: data[:, 0]), "the shape 100x28x28"),
    "empty": (_changed(lambda data: data[:0]), "is empty"),
    "column by column": (_changed(np.asfortranarray), "Fortran order"),
    "not a number": (_spoilt(np.nan), "sample 77"),
    "infinite": (_spoilt(-np.inf), "sample 77"),
    "pickled": (_pickled, "pickled objects"),
    "huge header": (_huge_header, "header"),
    "a pipe": (_pipe, "not a regular file"),
}


@pytest.fixture
def place(builder: Program, digits: Path) -> Path:
    """A folder with LeNet and its data, to be spoilt."""
    folder = builder.folder / "place"
    shutil.copytree(digits, folder)
    return folder


@pytest.mark.parametrize(("spoil", "said"), MODELS.values(), ids=MODELS.keys())
def test_a_bad_model_is_refused(builder: Program, place: Path, spoil: Callable[[Path], None], said: str) -> None:
    model = place / "lenet.onnx"
    spoil(model)
    (place / "x.npy").write_text("never looked at")
    assert said in _told(_refused(builder, BAD_MODEL, model))


@pytest.mark.parametrize(("spoil", "said"), DATA.values(), ids=DATA.keys())
def test_bad_data_are_refused(builder: Program, place: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(place / "data.npy")
    assert said in _told(_refused(builder, BAD_DATA, place / "lenet.onnx"))
    assert not (place / "executed").exists()


@pytest.mark.parametrize(
    ("code", "file", "spoil"),
    [
        (BAD_MODEL, "lenet.onnx", truncated_model),
        (BAD_MODEL, "lenet.onnx", unknown_operator),
        (BAD_DATA, "data.npy", _spoilt(np.inf)),
        (BAD_DATA, "data.npy", _pickled),
    ],
    ids=["truncated", "unknown operator", "infinite", "pickled"],
)
def test_calibrate_refuses_the_same_and_leaves_its_file_alone(
    program: Program, digits: Path, code: int, file: str, spoil: Callable[[Path], None]
) -> None:
    shutil.copytree(digits, program.folder / "place")
    spoil(program.folder / "place" / file)
    np.save(program.folder / "place" / "x.npy", np.ones((4, 4), np.float32))
    table = program.folder / "mine.table"
    table.write_text("what was there before")
    program.fails(code, "calibrate", program.folder / "place" / "lenet.onnx", "-o", table)
    assert table.read_text() == "what was there before"
    assert sorted(path.name for path in program.folder.iterdir()) == ["home", "mine.table", "place"]


def test_a_bomb_is_not_unpacked(builder: Program, place: Path) -> None:
    _bomb(place / "digits.npz")
    error = _refused(builder, BAD_DATA, place / "lenet.onnx", "--data", str(place / "digits.npz"))
    assert "bomb" in str(error)


def test_fewer_samples_than_one_batch_are_refused(builder: Program, place: Path) -> None:
    error = _refused(builder, BAD_DATA, place / "lenet.onnx", "--batch-size", "101")
    assert "--batch-size 100" in str(error["remedy"])


def test_test_data_that_were_calibrated_with_are_refused(builder: Program, place: Path) -> None:
    error = _refused(builder, BAD_DATA, place / "lenet.onnx", "--test-data", str(place / "data.npy"))
    assert "among the calibration samples" in str(error["message"])


def test_people_are_told_what_why_and_what_to_do(builder: Program, place: Path) -> None:
    unknown_operator(place / "lenet.onnx")
    ended = builder.run("submit", place / "lenet.onnx")
    assert ended.code == BAD_MODEL
    assert ended.out == ""
    what, why, remedy = ended.err.splitlines()
    assert what.startswith("error: ")
    assert "Frobnicate" in what
    assert "/frob" in what
    assert why.startswith("cause: ")
    assert remedy.startswith("what to do: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "fp32", "--table", "x.table"), "--table"),
        (("--table", "x.table", "--batch-size", "3"), "--batch-size"),
        (("--quantile", "0.5"), "quantile"),
        (("--max-drop", "101%"), "between"),
        (("--shape", "other=1:2:3"), "no input"),
        (("--table", "tab_gone"), "tab_gone"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_cannot_be_are_refused(
    builder: Program, digits: Path, options: tuple[str, ...], message: str
) -> None:
    ended = builder.run("submit", digits / "lenet.onnx", *options, "--json")
    assert ended.code == (8 if message == "tab_gone" else 2)
    assert message in ended.error["message"]
    assert builder.rows() == {}


def _refused(program: Program, code: int, model: Path, *options: str) -> dict[str, object]:
    """The error that a submission ends with, after which the farm is as it was before."""
    error = program.fails(code, "submit", model, *options)
    assert error["remedy"] or error["cause"]
    assert error["code"] == {BAD_MODEL: "bad_model", BAD_DATA: "bad_data"}[code]
    assert program.rows() == {}
    assert program.blobs() == []
    assert program.scratch() == []
    return error


def _told(error: dict[str, object]) -> str:
    return f"{error['message']} {error['cause']}"


def test_no_command_writes_over_what_it_reads(program: Program, digits: Path, golden: Path) -> None:
    """What `run` reads, and the data of `calibrate`, are looked at where these are tested."""
    folder, model = program.folder, digits / "lenet.onnx"
    table = Path(shutil.copy(golden / "lenet" / "minmax-bs50.table", folder / "t.table"))
    for name in ("data", "test", "labels"):
        shutil.copy(digits / "data.npy", folder / f"{name}.npy")
    onnx.save(onnx.load(model), folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    program.ok("keys", "export", "-o", "public.pem")
    own = program.json("keys", "list")[0]["path"]
    data = ("--search", "--max-drop", "1%", "--data", "data.npy", "--test-data", "test.npy", "--labels", "labels.npy")
    before = {path: path.read_bytes() for path in (*folder.iterdir(), Path(own)) if path.is_file()}
    for command, destinations in (
        (("quantize", "m.onnx", "--table", table, *data), (table, "data.npy", "test.npy", "labels.npy", "w.bin")),
        (("tables", "restamp", "t.table", "--tensorrt", "8.6.1"), (table,)),
        (("tables", "extract", "m.onnx"), ("w.bin",)),
        (("calibrate", "m.onnx", "--data", "data.npy"), ("w.bin",)),
        (("keys", "export"), (own,)),
    ):
        for destination in destinations:
            assert "it is what is read" in program.fails(2, *command, "-o", destination)["message"]
    assert {path: path.read_bytes() for path in before} == before
