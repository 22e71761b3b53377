"""Which tensors hold whole numbers, held to what ONNX infers of the same graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.unit.models.samples import model_of, saved, tensor
from trtfarm.models.model import Model

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}


def _reshaped() -> onnx.ModelProto:
    """x (N, 4) is reshaped by sizes that the graph computes, masked by what it compares, and sorted."""
    make = helper.make_node
    nodes = [
        make("Shape", ["x"], ["sizes"]),
        make("Gather", ["sizes", "zero"], ["batch"]),
        make("Unsqueeze", ["batch", "axes"], ["batches"]),
        make("Constant", [], ["two"], value=tensor("", np.array([2]))),
        make("Mul", ["two", "two"], ["four"]),
        make("Concat", ["batches", "two", "two"], ["wanted"], axis=0),
        make("Reshape", ["x", "wanted"], ["square"]),
        make("Cast", ["four"], ["half"], to=TensorProto.FLOAT),
        make("Cast", ["x"], ["ids"], to=TensorProto.INT32),
        make("Greater", ["x", "half"], ["large"]),
        make("Where", ["large", "x", "half"], ["kept"]),
        make("ConstantOfShape", ["sizes"], ["zeros"]),
        make("ConstantOfShape", ["sizes"], ["ones"], value=tensor("", np.array([1]))),
        make("TopK", ["kept", "two"], ["best", "places"]),
        make("Add", ["kept", "zeros"], ["y"]),
    ]
    return model_of(nodes, weights=[tensor("zero", np.array(0)), tensor("axes", np.array([0]))])


def test_what_is_no_float_is_what_onnx_infers_to_be_none(tmp_path: Path) -> None:
    model = _reshaped()
    summary = Model.read(saved(model, tmp_path / "model.onnx")).summary
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    assert set(summary.tensors) - {"x"} <= set(types)
    assert summary.whole_numbers == {name for name in summary.tensors if types.get(name, 1) not in _FLOATS}
    assert {"batches", "wanted", "ids", "places"} <= summary.whole_numbers


def test_declared_types_are_believed(tmp_path: Path) -> None:
    """Of an operator that nobody knows, and of a model's own output."""
    make = helper.make_node
    model = model_of([make("Own", ["x"], ["n"], domain="own"), make("Neg", ["n"], ["m"])], weights=[])
    model.graph.value_info.append(helper.make_tensor_value_info("n", TensorProto.INT64, ["N"]))
    model.graph.output[0].name = "m"
    assert Model.read(saved(model, tmp_path / "model.onnx")).summary.whole_numbers == {"n", "m"}
