"""Small models that the tests make with `onnx` itself, and bytes that it would never write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.generic]


def tensor(name: str, value: Array) -> TensorProto:
    return numpy_helper.from_array(value, name)


def model_of(
    nodes: list[onnx.NodeProto],
    *,
    weights: list[TensorProto],
    inputs: list[onnx.ValueInfoProto] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
) -> onnx.ModelProto:
    """A model with the input x (N, 4), the output y and the given insides."""
    graph = helper.make_graph(
        nodes,
        "sample",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        initializer=weights,
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        producer_name="tests",
        ir_version=10,  # what ONNX Runtime runs is older than what onnx writes
        functions=functions or [],
    )


def linear_model(seed: int = 0) -> onnx.ModelProto:
    """y = x @ w + b, with b in a Constant node: one initializer and one tensor in an attribute."""
    random = np.random.default_rng(seed)
    bias = tensor("", random.standard_normal(4, dtype=np.float32))
    return model_of(
        [
            helper.make_node("Constant", [], ["b"], name="bias", value=bias),
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="product"),
            helper.make_node("Add", ["xw", "b"], ["y"], name="sum"),
        ],
        weights=[tensor("w", random.standard_normal((4, 4), dtype=np.float32))],
    )


def saved(model: onnx.ModelProto, path: Path, *, external: str | None = None) -> Path:
    """The model as a file; with `external`, all its tensors in a file of that name beside it."""
    path.parent.mkdir(exist_ok=True)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if external is None:
        onnx.save(copy, path)
    else:
        onnx.save(
            copy,
            path,
            save_as_external_data=True,
            location=external,
            size_threshold=0,
            convert_attribute=True,
        )
    return path


def with_external(path: Path, **entries: str) -> Path:
    """A model whose weight `w` (float32, 4x4) says that it is in an external file, in these words."""
    model = linear_model()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(groups) + bytes((value,))
