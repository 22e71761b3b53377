"""Digests stand still for what changes no engine, and move for what does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.unit.models.samples import field, linear_model, model_of, saved, tensor
from trtfarm.models.model import Model

Change = Callable[[onnx.ModelProto], object]


def _digests(model: onnx.ModelProto, path: Path) -> tuple[str, str]:
    read = Model.read(saved(model, path))
    return read.graph_digest, read.weights_digest


def _set_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[1].attribute.append(helper.make_attribute("alpha", 1.0))


def _change_one_weight(model: onnx.ModelProto) -> None:
    data = bytearray(model.graph.initializer[0].raw_data)
    data[5] ^= 1
    model.graph.initializer[0].raw_data = bytes(data)


def _change_the_constant(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute[0].t.raw_data = bytes(16)


STRUCTURE: dict[str, Change] = {
    "node": lambda m: setattr(m.graph.node[1], "name", "other"),
    "attribute": _set_attribute,
    "operator": lambda m: setattr(m.graph.node[2], "op_type", "Mul"),
    "edge": lambda m: m.graph.node[2].input.reverse(),
    "output": lambda m: setattr(m.graph.output[0], "name", "z"),
    "opset": lambda m: setattr(m.opset_import[0], "version", 18),
    "dimension": lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1),
}
WEIGHTS: dict[str, Change] = {"weight": _change_one_weight, "constant": _change_the_constant}
NOTHING: dict[str, Change] = {
    "producer": lambda m: setattr(m, "producer_name", "someone else"),
    "version": lambda m: setattr(m, "model_version", 7),
    "remark": lambda m: setattr(m.graph.node[0], "doc_string", "at line 3\nof model.py"),
    "graph remark": lambda m: setattr(m.graph, "doc_string", "\x00"),
    "metadata": lambda m: m.metadata_props.add(key="k", value="v"),
    "node metadata": lambda m: m.graph.node[0].metadata_props.add(key="k", value="v"),
    "tensor remark": lambda m: setattr(m.graph.initializer[0], "doc_string", "kernel"),
}


@pytest.mark.parametrize("change", STRUCTURE.values(), ids=STRUCTURE.keys())
def test_structure_moves_the_graph_digest_only(tmp_path: Path, change: Change) -> None:
    before = _digests(linear_model(), tmp_path / "a.onnx")
    changed = linear_model()
    change(changed)
    after = _digests(changed, tmp_path / "b.onnx")
    assert (after[0] == before[0], after[1] == before[1]) == (False, True)


@pytest.mark.parametrize("change", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_weights_move_the_weights_digest_only(tmp_path: Path, change: Change) -> None:
    before = _digests(linear_model(), tmp_path / "a.onnx")
    changed = linear_model()
    change(changed)
    after = _digests(changed, tmp_path / "b.onnx")
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING.keys())
def test_remarks_move_neither(tmp_path: Path, change: Change) -> None:
    before = _digests(linear_model(), tmp_path / "a.onnx")
    changed = linear_model()
    change(changed)
    assert _digests(changed, tmp_path / "b.onnx") == before
    assert Model.read(tmp_path / "b.onnx").digest == Model.read(tmp_path / "a.onnx").digest


@pytest.mark.parametrize("name", ["lenet", "zoo"])
def test_external_and_inline_are_the_same_model(golden: Path, tmp_path: Path, name: str) -> None:
    source = golden / name / "model.onnx"
    external = Model.read(saved(onnx.load(source), tmp_path / "model.onnx", external="w.bin"))
    assert external.summary.external_files == ("w.bin",)
    assert external.files == (tmp_path / "model.onnx", tmp_path / "w.bin")
    assert external.digest == Model.read(source).digest
    back = onnx.load(tmp_path / "model.onnx")
    assert Model.read(saved(back, tmp_path / "inline" / "model.onnx")).digest == external.digest


def _typed(name: str, data_type: int, value: npt.NDArray[np.generic]) -> TensorProto:
    return helper.make_tensor(name, data_type, value.shape, value.flatten().tolist())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(
        ["float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint32", "uint64"]
    ),
    shape=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 1 << 32),
)
def test_raw_and_typed_fields_are_the_same_weights(tmp_path: Path, dtype: str, shape: list[int], seed: int) -> None:
    data = np.random.default_rng(seed).bytes(8 * int(np.prod(shape)))
    value = np.frombuffer(data, dtype="uint8")[: int(np.prod(shape)) * np.dtype(dtype).itemsize].view(dtype)
    value = np.nan_to_num(value).reshape(shape)
    raw = tensor("w", value)
    node = helper.make_node("Identity", ["x"], ["y"])
    digests = {
        _digests(model_of([node], weights=[weight]), tmp_path / "m.onnx")
        for weight in (raw, _typed("w", raw.data_type, value))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("data_type", "values"),
    [
        (TensorProto.FLOAT16, [1.5, -2.0]),
        (TensorProto.BFLOAT16, [1.5, -2.0]),
        (TensorProto.BOOL, [True, False]),
        (TensorProto.INT4, [-8, 7, 3]),
        (TensorProto.FLOAT8E4M3FN, [0.5, -1.0]),
        (TensorProto.COMPLEX64, [1 + 2j, 3j]),
    ],
)
def test_typed_fields_of_other_types(tmp_path: Path, data_type: TensorProto.DataType, values: list[float]) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    typed = helper.make_tensor("w", data_type, [len(values)], values)
    raw = numpy_helper.from_array(numpy_helper.to_array(typed), "w")
    assert (typed.raw_data == b"", raw.raw_data == b"") == (True, False)
    one = _digests(model_of([node], weights=[typed]), tmp_path / "m.onnx")
    assert one == _digests(model_of([node], weights=[raw]), tmp_path / "m.onnx")


def test_string_tensors_are_weights(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])

    def digests(strings: list[bytes]) -> tuple[str, str]:
        weight = TensorProto(name="w", data_type=TensorProto.STRING, dims=[len(strings)], string_data=strings)
        return _digests(model_of([node], weights=[weight]), tmp_path / "m.onnx")

    assert digests([b"a", b"bc"]) == digests([b"a", b"bc"])
    assert digests([b"a", b"bc"])[1] != digests([b"ab", b"c"])[1]


def test_fields_in_another_order_are_the_same_model(tmp_path: Path) -> None:
    """Other writers put fields in another order."""
    model = linear_model()
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    shuffled = tmp_path / "shuffled.onnx"
    opset = model.opset_import[0].SerializeToString()
    model.ClearField("opset_import")
    shuffled.write_bytes(field(8, opset) + field(7, graph) + model.SerializeToString())
    plain = Model.read(saved(linear_model(), tmp_path / "plain.onnx"))
    assert Model.read(shuffled).digest == plain.digest
