"""What a model is made of, and clear words for models that are too new, damaged or foreign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from tests.unit.onnx_models import make_model, node, silent_channel, weights
from trtfarm_builder.evaluation import inspect
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.sessions import open_session

Inspect = Callable[[onnx.ModelProto | bytes], dict[str, Any]]


@pytest.fixture
def inspected(tmp_path: Path) -> Inspect:
    def run(model: onnx.ModelProto | bytes) -> dict[str, Any]:
        path = tmp_path / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        with silent_channel() as channel:
            return inspect.run({"model": str(path)}, channel)

    return run


def simple(**changes: Any) -> onnx.ModelProto:
    nodes = [node("MatMul", ["x", "w"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "y")]
    return make_model(nodes, {"x": ["N", 8]}, ["y"], {"w": weights(0, 8, 4)}, **changes)


def test_a_sound_model_is_described(inspected: Inspect) -> None:
    assert inspected(simple()) == {
        "opset": 13,
        "ir_version": 8,
        "nodes": 3,
        "op_types": {"MatMul": 1, "Relu": 2},
        "inputs": [{"name": "x", "dtype": "tensor(float)", "shape": ["N", 8]}],
        "outputs": [{"name": "y", "dtype": "tensor(float)", "shape": ["N", 4]}],
    }


def with_change(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    model = simple()
    change(model)
    return model


def set_version(model: onnx.ModelProto, opset: int) -> None:
    model.opset_import[0].version = opset


def rename(model: onnx.ModelProto, op_type: str, domain: str = "") -> None:
    model.graph.node[1].op_type = op_type
    model.graph.node[1].domain = domain
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))


def drop_input_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].ClearField("type")


def cut_wire(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = "nowhere"


def bend_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 4
    model.graph.initializer[0].dims[1] = 8


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (with_change(lambda model: set_version(model, 999)), ["opset 999", "newest that is supported", "older opset"]),
        (with_change(lambda model: setattr(model, "ir_version", 99)), ["IR version 99", "newest that is supported"]),
        (with_change(lambda model: rename(model, "Reloo")), ["Reloo", "ai.onnx", "b_node", "opset 13"]),
        (with_change(lambda model: rename(model, "Gelu")), ["Gelu", "no such operator up to opset 13"]),
        (with_change(lambda model: rename(model, "Swoosh", "acme")), ["Swoosh", "'acme'", "b_node"]),
        (with_change(drop_input_type), ["x", "type"]),
        (with_change(cut_wire), ["nowhere"]),
        (with_change(bend_shape), ["ONNX Runtime cannot load the model"]),
        (with_change(lambda model: model.opset_import.pop()), ["opset"]),
    ],
    ids=["opset", "ir", "typo", "too new", "foreign", "untyped", "cut", "shape", "no opset"],
)
def test_what_is_wrong_is_named(inspected: Inspect, model: onnx.ModelProto, words: list[str]) -> None:
    with pytest.raises(BadModelError) as caught:
        inspected(model)
    text = " ".join(str(part) for part in (caught.value.message, caught.value.cause, caught.value.remedy))
    assert all(word in text for word in words), text


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 64, simple().SerializeToString()[:80]])
def test_what_is_no_model_is_refused(inspected: Inspect, content: bytes) -> None:
    with pytest.raises(BadModelError):
        inspected(content)


def named(*names: str) -> list[onnx.NodeProto]:
    tensors = ["a", *(f"t{number}" for number in range(1, len(names))), "inner"]
    return [
        helper.make_node("Relu", [read], [made], name=name)
        for name, read, made in zip(names, tensors, tensors[1:], strict=False)
    ]


def in_graph(*names: str) -> onnx.ModelProto:
    return with_change(lambda model: model.graph.node.extend(named(*names)))


def in_subgraph(*names: str) -> onnx.ModelProto:
    body, other = (
        helper.make_graph(nodes, "body", [], [helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)])
        for nodes in (named(*names), named("other"))
    )
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    branch = helper.make_node("If", ["yes"], ["z"], name="branch", then_branch=body, else_branch=other)
    model = simple()
    model.graph.initializer.append(yes)
    model.graph.node.append(branch)
    return model


def in_function(*names: str) -> onnx.ModelProto:
    model = with_change(lambda model: rename(model, "Swoosh", "acme"))
    opsets = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("acme", "Swoosh", ["a"], ["inner"], named(*names), opsets))
    return model


@pytest.mark.parametrize("within", [in_graph, in_subgraph, in_function])
def test_nodes_of_one_name_are_told_where_onnx_runtime_refuses_them(
    inspected: Inspect, within: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    shared = within("twin", "twin", "single")
    with pytest.raises(BadModelError, match="'twin' is the name of 2 nodes") as caught:
        inspected(shared)
    assert "node.name = ''" in str(caught.value.remedy)
    with pytest.raises(BadModelError, match="cannot load the model"):
        open_session(shared.SerializeToString(), tmp_path)
    inspected(within("", "", "single"))


def test_a_subgraph_may_have_the_names_of_the_graph(inspected: Inspect) -> None:
    inspected(in_subgraph("a_node", "branch"))


def test_unknown_operators_in_subgraphs_are_found(inspected: Inspect) -> None:
    body = helper.make_graph(
        [helper.make_node("Reloo", ["a"], ["inner"], name="inner_node")],
        "body",
        [],
        [helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)],
    )
    model = simple()
    model.graph.node.append(helper.make_node("If", ["yes"], ["z"], then_branch=body, else_branch=body))
    with pytest.raises(BadModelError, match="node inner_node"):
        inspected(model)


def test_functions_of_the_model_are_known(inspected: Inspect) -> None:
    model = with_change(lambda model: rename(model, "Swoosh", "acme"))
    body = [helper.make_node("Relu", ["i"], ["o"])]
    swoosh = helper.make_function("acme", "Swoosh", ["i"], ["o"], body, [helper.make_opsetid("", 13)])
    model.functions.append(swoosh)
    assert inspected(model)["op_types"]["Swoosh"] == 1
