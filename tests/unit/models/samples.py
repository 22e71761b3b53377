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


def linear_model() -> onnx.ModelProto:
    """y = x @ w + b, with b in a Constant node: one initializer and one tensor in an attribute."""
    random = np.random.default_rng(0)
    bias = tensor("", random.standard_normal(4, dtype=np.float32))
    return model_of(
        [
            helper.make_node("Constant", [], ["b"], name="bias", value=bias),
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="product"),
            helper.make_node("Add", ["xw", "b"], ["y"], name="sum"),
        ],
        weights=[tensor("w", random.standard_normal((4, 4), dtype=np.float32))],
    )


def function(
    name: str, inputs: list[str], outputs: list[str], nodes: list[onnx.NodeProto], *attributes: str, **defaults: float
) -> onnx.FunctionProto:
    """A function of the domain `own`, for the operator sets of `model_of`, which takes attributes or has defaults."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    given = [helper.make_attribute(key, value) for key, value in defaults.items()]
    return helper.make_function("own", name, inputs, outputs, nodes, opsets, list(attributes), given)


def referring(
    made: onnx.NodeProto, attribute: str, to: str, type_: onnx.AttributeProto.AttributeType
) -> onnx.NodeProto:
    """The node with an attribute that its function is given."""
    made.attribute.append(onnx.AttributeProto(name=attribute, ref_attr_name=to, type=type_))
    return made


def _branch(out: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    return helper.make_graph(nodes, out, [], [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)])


def nested_model() -> onnx.ModelProto:
    """Calls in calls and in branches; attributes handed on, given and left to defaults; inputs left out;
    tensors in attributes; names that clash, within and outside of functions."""
    node = helper.make_node
    float_ = onnx.AttributeProto.FLOAT
    shift = tensor("", np.array([0.5, -1, 2, 0], np.float32))
    leaky = referring(node("LeakyRelu", ["a"], ["h"], name="leaky"), "alpha", "slope", float_)
    low = node("Constant", [], ["low"], value=tensor("", np.array(-1.5, np.float32)))
    clip = node("Clip", ["h", "low", "top"], ["y"], name="clip")
    act = function("Act", ["a", "top"], ["y"], [leaky, low, clip], slope=0.25)
    act_given = referring(node("Act", ["xw"], ["r"], domain="own", name="act"), "slope", "slope", float_)
    constant = node("Constant", [], ["b"], name="shift", value=shift)
    dense = function(
        "Dense",
        ["x", "w"],
        ["h"],
        [
            node("MatMul", ["x", "w"], ["xw"], name="product"),
            act_given,
            constant,
            node("Add", ["r", "b"], ["h"]),
        ],
        "slope",
    )
    then = _branch("z", node("Dense", ["d", "v"], ["z"], domain="own", slope=0.125))
    other = _branch("z", node("Neg", ["d"], ["z"]))
    twice = function(
        "Twice",
        ["x", "v"],
        ["y"],
        [
            node("Dense", ["x", "v"], ["d"], domain="own", name="dense", slope=0.5),
            node("ReduceMax", ["d"], ["m"], keepdims=0),
            node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
            node("If", ["c"], ["y"], name="if", then_branch=then, else_branch=other),
        ],
    )
    random = np.random.default_rng(3)
    return model_of(
        [
            node("Twice", ["x", "w"], ["first"], domain="own", name="block"),
            node("Twice", ["first", "w"], ["block/d"], domain="own"),
            node("Act", ["block/d", "top"], ["act"], domain="own", name="other"),
            node("Sum", ["act", "first"], ["y"], name="block/dense/product"),
        ],
        weights=[
            tensor("w", random.standard_normal((4, 4), dtype=np.float32)),
            tensor("top", np.array(1.75, np.float32)),
        ],
        functions=[act, dense, twice, function("Unused", ["a"], ["b"], [node("Act", ["a"], ["b"], domain="own")])],
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
