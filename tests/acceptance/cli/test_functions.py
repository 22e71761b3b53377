"""A model that is made of functions of its own: calibrated, quantised, verified and built as one flat graph."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper

from tests.acceptance.cli.program import Program
from trtfarm.tables.table import CalibrationTable

_INSIDE = ("/c1/Conv", "/MaxPool", "/c2/Conv", "/MaxPool_1")


def _with_functions(lenet: Path, path: Path) -> Path:
    """LeNet with its convolutions in one function `Stage`, called twice by another one, `Body`."""
    model = onnx.load(lenet)
    opsets = [*model.opset_import, helper.make_opsetid("own", 1)]
    nodes = {node.name: node for node in model.graph.node}
    first, pool = nodes["/c1/Conv"], nodes["/MaxPool"]
    stage = [onnx.NodeProto.FromString(node.SerializeToString()) for node in (first, pool)]
    for node, inputs, output, name in zip(stage, (["x", "w", "b"], ["c"]), "cy", ("conv", "pool"), strict=True):
        node.ClearField("input")
        node.input.extend(inputs)
        node.output[0], node.name = output, name
    calls = [
        helper.make_node("Stage", ["d", "w1", "b1"], ["h"], name="one", domain="own"),
        helper.make_node("Stage", ["h", "w2", "b2"], ["z"], name="two", domain="own"),
    ]
    body = ["d", "w1", "b1", "w2", "b2"]
    model.functions.extend(
        [
            helper.make_function("own", "Stage", ["x", "w", "b"], ["y"], stage, opsets),
            helper.make_function("own", "Body", body, ["z"], calls, opsets),
        ]
    )
    call = ["data", *first.input[1:], *nodes["/c2/Conv"].input[1:]]
    made = helper.make_node("Body", call, nodes["/MaxPool_1"].output, name="body", domain="own")
    kept = [made, *(node for node in model.graph.node if node.name not in _INSIDE)]
    model.graph.ClearField("node")
    model.graph.node.extend(kept)
    model.opset_import.append(opsets[-1])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def test_int8_of_a_model_with_functions(builder: Program, digits: Path) -> None:
    model = _with_functions(digits / "lenet.onnx", builder.folder / "model.onnx")
    data = ("--data", digits / "data.npy", "--test-data", digits / "test" / "data.npy")
    facts = builder.json("submit", model, *data, "--target", "sm_86")
    assert [engine["int8_layers"] for engine in facts["engines"]] == [7]  # as without functions
    builder.ok("tables", "export", facts["table"]["id"], "-o", builder.folder / "t.table")
    scales = list(CalibrationTable.parse((builder.folder / "t.table").read_bytes()).scales)
    assert scales[:5] == ["data", "body/one/c", "body/h", "body/two/c", "/MaxPool_1_output_0"]
    details = builder.json("engines", "show", facts["engines"][0]["id"])
    in_int8 = {node for layer in details["layers"] if layer["dtype"] == "int8" for node in layer["onnx_nodes"]}
    assert {"body/one/conv", "body/one/pool", "body/two/conv", "body/two/pool"} <= in_int8
    assert builder.json("submit", model, *data, "--target", "sm_86")["hit"]
    assert builder.rows()["models"] == 1
    command = ("submit", model, *data, "--target", "sm_86", "--exclude", "body/two/*")
    assert builder.json(*command)["engines"][0]["int8_layers"] < 7
