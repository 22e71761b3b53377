from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from trtfarm_builder.trt.onnx_nodes import node_label


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Weights stand before and after the nodes, one of which has no name."""
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"]),
        helper.make_node("Det", ["a"], ["y"], name="the-determinant"),
    ]
    square = [1, 4, 4]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, square)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [helper.make_tensor("w", TensorProto.FLOAT, square, [0.5] * 16)],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), str(path))
    return path


def test_nodes_go_by_name_and_operator(model: Path) -> None:
    assert node_label(model, 0) == "'' (Add)"
    assert node_label(model, 1) == "'the-determinant' (Det)"


@pytest.mark.parametrize("index", [-1, 2, 1 << 40])
def test_a_number_of_no_node_has_no_label(model: Path, index: int) -> None:
    assert node_label(model, index) == ""


def test_nodes_of_a_real_export(golden: Path) -> None:
    path = golden / "zoo" / "model.onnx"
    nodes = onnx.load(str(path)).graph.node
    assert [node_label(path, index) for index in range(len(nodes))] == [f"{n.name!r} ({n.op_type})" for n in nodes]


def test_a_file_that_ends_early_gives_no_label_or_the_right_one(model: Path) -> None:
    whole = model.read_bytes()
    cut = model.with_name("cut.onnx")
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        assert node_label(cut, 1) in ("", "'the-determinant' (Det)")


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, b"\x3a\xff\xff\xff\xff\x0f", bytes(range(256)) * 16])
def test_garbage_gives_no_label(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(data)
    assert node_label(path, 0) == ""
