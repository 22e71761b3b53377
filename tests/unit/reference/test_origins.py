from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from tests.unit.onnx_models import make_model, node, weights
from trtfarm_builder.reference.network import load_network
from trtfarm_builder.reference.origins import scale_origins


def origins_of(model: onnx.ModelProto, folder: Path) -> dict[str, str]:
    onnx.save_model(model, folder / "model.onnx")
    network = load_network(folder / "model.onnx")
    return scale_origins(network.nodes, network.tensors)


def test_pooling_hands_its_inputs_scale_on_and_what_follows_has_its_own(tmp_path: Path) -> None:
    model = make_model(
        [
            node("Relu", ["x"], "relu"),
            node("MaxPool", ["relu"], "pooled", kernel_shape=[2, 2]),
            node("AveragePool", ["pooled"], "again", kernel_shape=[2, 2]),
            node("Flatten", ["again"], "flat"),
            node("Neg", ["flat"], "y"),
        ],
        {"x": ["N", 1, 8, 8]},
        ["y"],
    )
    assert origins_of(model, tmp_path) == {
        "x": "x",
        "relu": "relu",
        "pooled": "relu",
        "again": "relu",
        "flat": "again",
        "y": "again",
    }


def test_pooling_after_a_reshape_takes_the_scale_of_what_was_reshaped(tmp_path: Path) -> None:
    model = make_model(
        [
            node("Reshape", ["x", "shape"], "image"),
            node("MaxPool", ["image"], "y", kernel_shape=[2, 2]),
        ],
        {"x": ["N", 16]},
        ["y"],
        {"shape": np.array([-1, 1, 4, 4])},
    )
    assert origins_of(model, tmp_path) == {"x": "x", "image": "x", "y": "x"}


def test_pooling_in_one_dimension_and_global_pooling_are_no_pooling_layers(tmp_path: Path) -> None:
    model = make_model(
        [
            node("MaxPool", ["x"], "pooled", kernel_shape=[2]),
            node("GlobalAveragePool", ["pooled"], "y"),
        ],
        {"x": ["N", 2, 8]},
        ["y"],
    )
    assert origins_of(model, tmp_path) == {"x": "x", "pooled": "pooled", "y": "y"}


def test_only_float_tensors_have_scales(tmp_path: Path) -> None:
    model = make_model(
        [
            helper.make_node("Constant", [], ["one"], value=helper.make_tensor("one", 1, [1], [1.0])),
            node("Shape", ["x"], "shape"),
            node("Cast", ["shape"], "sizes", to=onnx.TensorProto.FLOAT),
            node("Greater", ["x", "one"], "mask"),
            node("Where", ["mask", "x", "one"], "chosen"),
            node("Cast", ["chosen"], "half", to=onnx.TensorProto.FLOAT16),
            node("Cast", ["half"], "y", to=onnx.TensorProto.FLOAT),
        ],
        {"x": ["N", 4]},
        ["y", "sizes"],
    )
    assert list(origins_of(model, tmp_path)) == ["x", "sizes", "chosen", "half", "y"]


def test_optional_outputs_that_are_not_there_and_subgraphs_are_passed_over(tmp_path: Path) -> None:
    then = helper.make_graph(
        [node("Mul", ["normal", "x"], "inner")], "then", [], [helper.make_tensor_value_info("inner", 1, None)]
    )
    other = helper.make_graph(
        [node("Identity", ["normal"], "kept")], "else", [], [helper.make_tensor_value_info("kept", 1, None)]
    )
    model = make_model(
        [
            node("Identity", ["x"], "normal"),
            helper.make_node("Dropout", ["x"], ["dropped", ""]),
            node("ReduceSum", ["dropped"], "sum", keepdims=0),
            node("Greater", ["sum", "zero"], "positive"),
            node("If", ["positive"], "y", then_branch=then, else_branch=other),
        ],
        {"x": ["N", 4]},
        ["y"],
        {"zero": np.array(0, np.float32), "unused": weights(1, 3)},
    )
    assert list(origins_of(model, tmp_path)) == ["x", "normal", "dropped", "sum", "y"]
