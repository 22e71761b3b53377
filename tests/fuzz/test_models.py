"""ONNX files: the scan before anything native sees them, against the reader of the format's own makers."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given

from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.fuzz.seeds import models, written
from tests.unit.models.samples import field
from trtfarm.errors import ModelError
from trtfarm.models.model import Model

WORDS = (
    field(7, b""),
    field(1, field(5, b"")),
    field(5, field(1, b"w")),
    field(13, field(1, b"location") + field(2, b"../secret")),
    b"\x70\x01",
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x0b\x0c",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@given(data=mutated(models(), WORDS))
def test_a_model_is_the_same_for_every_reader(folder: Path, data: bytes) -> None:
    path = written(folder, "model.onnx", data)
    model = outcome(lambda: Model.read(path), ModelError)
    if model is None:
        return
    theirs = onnx.ModelProto()
    try:
        theirs.ParseFromString(data)
    except DecodeError as error:
        raise AssertionError("onnx cannot read what was taken") from error
    assert model.summary.ir_version == theirs.ir_version
    if not theirs.functions:
        assert [node.op_type for node in model.summary.graph_nodes] == [node.op_type for node in theirs.graph.node]
    assert [tensor.name for tensor in model.summary.outputs] == [value.name for value in theirs.graph.output]
    _comes_back(model, folder)


def _comes_back(model: Model, folder: Path) -> None:
    """The farm's copy is the same model, a copy of the copy the same file, and `onnx` would write it just so."""
    copies = [folder / "copy", folder / "copy of the copy"]
    for copy in copies:
        copy.mkdir(exist_ok=True)
    (first,) = model.copy_to(copies[0])
    again = Model.read(first)
    assert (again.digest, again.summary.tensors) == (model.digest, model.summary.tensors)
    (second,) = again.copy_to(copies[1])
    assert first.read_bytes() == second.read_bytes() == onnx.load(first).SerializeToString()
    first.unlink()
    second.unlink()
