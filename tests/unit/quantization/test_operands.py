"""Each weighted operator's scales and channel axes, weights in every form, and why nodes stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.unit.onnx_models import make_model, node, pairs_in, weights
from tests.unit.quantization.checks import check_close, sources, table_of
from tests.unit.rewrites import Rewrite

Constants = dict[str, NDArray[Any]]


def test_a_convolution_has_one_scale_for_its_input_and_one_per_output_channel(quantized: Rewrite) -> None:
    model = make_model(
        [node("Conv", ["x", "w", "b"], "y", group=2)],
        {"x": ["N", 4, 5, 5]},
        ["y"],
        {"w": weights(0, 6, 2, 3, 3), "b": weights(1, 6)},
    )
    table = table_of(model)
    result = quantized(model, table)
    pairs = pairs_in(result.model)
    assert set(pairs) == {("y_node", 0), ("y_node", 1)}, "the bias stays in floating point"
    assert pairs["y_node", 0].axis is None
    assert np.float32(pairs["y_node", 0].scales[0]).tobytes()[::-1].hex() == table["x"]
    assert pairs["y_node", 1].axis == 0
    expected = np.abs(weights(0, 6, 2, 3, 3)).max(axis=(1, 2, 3)) / np.float32(127)
    assert pairs["y_node", 1].scales == pytest.approx(expected, rel=1e-6)
    convolution = next(item for item in result.model.graph.node if item.op_type == "Conv")
    assert helper.get_node_attr_value(convolution, "kernel_shape") == [3, 3], "TensorRT 8.5 does not infer it"
    assert result.result["quantized"] == ["y_node"]
    assert result.result["unused_scales"] == ["y"]
    check_close(model, result)


@pytest.mark.parametrize(("group", "axis"), [(1, 1), (2, None)])
def test_a_transposed_convolution_has_its_channels_on_axis_1_or_across_groups(
    quantized: Rewrite, group: int, axis: int | None
) -> None:
    model = make_model(
        [node("ConvTranspose", ["x", "w"], "y", group=group, strides=[2, 2])],
        {"x": ["N", 4, 5, 5]},
        ["y"],
        {"w": weights(0, 4, 6, 2, 2)},
    )
    result = quantized(model, table_of(model))
    pair = pairs_in(result.model)["y_node", 1]
    assert (pair.axis, len(pair.scales)) == (axis, 6 if group == 1 else 1)
    check_close(model, result)


@pytest.mark.parametrize(("transposed", "axis"), [(0, 1), (1, 0)])
def test_a_gemm_has_its_channels_where_its_columns_are(quantized: Rewrite, transposed: int, axis: int) -> None:
    shape = (5, 8) if transposed else (8, 5)
    model = make_model(
        [node("Gemm", ["x", "w", "b"], "y", transB=transposed, alpha=0.5)],
        {"x": ["N", 8]},
        ["y"],
        {"w": weights(0, *shape), "b": weights(1, 5)},
    )
    result = quantized(model, table_of(model))
    pair = pairs_in(result.model)["y_node", 1]
    assert (pair.axis, len(pair.scales)) == (axis, 5)
    check_close(model, result)


@pytest.mark.parametrize(
    ("inputs", "shape", "axis"),
    [(["x", "w"], (8, 5), 1), (["x", "w"], (3, 8, 5), None), (["x", "w"], (8,), None), (["w", "x"], (2, 6), None)],
    ids=["matrix", "stack", "vector", "left"],
)
def test_a_matrix_product_has_channels_only_for_a_right_hand_matrix(
    quantized: Rewrite, inputs: list[str], shape: tuple[int, ...], axis: int | None
) -> None:
    model = make_model([node("MatMul", inputs, "y")], {"x": [3, 6, 8]}, ["y"], {"w": weights(0, *shape)})
    result = quantized(model, table_of(model))
    assert pairs_in(result.model)["y_node", inputs.index("w")].axis == axis
    assert sources(result)["y_node", inputs.index("x")] == "x"
    check_close(model, result)


def constant_node(name: str, value: NDArray[Any]) -> onnx.NodeProto:
    return node("Constant", [], name, value=numpy_helper.from_array(value))


def test_weights_in_constant_nodes_are_read_where_they_are(quantized: Rewrite) -> None:
    nodes = [constant_node("w", weights(0, 8, 5)), node("MatMul", ["x", "w"], "y")]
    model = make_model(nodes, {"x": ["N", 8]}, ["y"])
    result = quantized(model, table_of(model))
    assert sources(result)["y_node", 1] == "w"
    check_close(model, result)


def test_weights_behind_transposes_and_reshapes_are_stored_in_the_form_that_is_read(quantized: Rewrite) -> None:
    nodes = [
        constant_node("shape", np.array([0, -1], np.int64)),
        node("Cast", ["w"], "w32", to=onnx.TensorProto.FLOAT),
        node("Reshape", ["w32", "shape"], "matrix"),
        node("Transpose", ["matrix"], "turned"),
        node("Identity", ["turned"], "same"),
        node("MatMul", ["x", "same"], "y"),
    ]
    stored = weights(0, 5, 2, 4).astype(np.float16)
    model = make_model(nodes, {"x": ["N", 8]}, ["y"], {"w": stored})
    result = quantized(model, table_of(model))
    pair = pairs_in(result.model)["y_node", 1]
    kept = {item.name: numpy_helper.to_array(item) for item in result.model.graph.initializer}
    assert pair.axis == 1
    assert np.array_equal(kept[pair.source], stored.astype(np.float32).reshape(5, 8).T)
    assert "w" not in kept, "nobody reads the first form any more"
    assert [item.op_type for item in result.model.graph.node].count("Transpose") == 0
    check_close(model, result)


def test_steps_that_somebody_else_reads_stay(quantized: Rewrite) -> None:
    nodes = [
        node("Transpose", ["w"], "turned"),
        node("MatMul", ["x", "turned"], "a"),
        node("Add", ["a", "turned"], "y"),
    ]
    model = make_model(nodes, {"x": [8, 8]}, ["y"], {"w": weights(0, 8, 8)})
    result = quantized(model, table_of(model))
    assert "Transpose" in [item.op_type for item in result.model.graph.node]
    check_close(model, result)


def test_nodes_that_cannot_be_quantised_say_why(quantized: Rewrite) -> None:
    body = helper.make_graph(
        [helper.make_node("MatMul", ["a", "w"], ["inner"], name="inner_node")],
        "body",
        [],
        [helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)],
    )
    infinite = weights(3, 8, 8)
    infinite[0, 0] = np.inf
    nodes = [
        node("MatMul", ["x", "w"], "a"),
        node("MatMul", ["w", "w"], "known"),
        node("Conv", ["image", "kernel"], "dynamic"),
        node("MatMul", ["a", "bad"], "infinite"),
        node("Cast", ["x"], "x64", to=onnx.TensorProto.DOUBLE),
        node("MatMul", ["x64", "x64"], "double"),
        node("If", ["yes"], "chosen", then_branch=body, else_branch=body),
    ]
    model = make_model(
        nodes,
        {"x": [8, 8], "image": [1, 2, 6, 6], "kernel": [3, 2, 3, 3]},
        ["known", "dynamic", "infinite", "double", "chosen"],
        {"w": weights(0, 8, 8), "bad": infinite, "yes": np.ones((), bool)},
    )
    table = dict.fromkeys(["x", "a", "image", "x64", "known"], "3c010204")
    reasons = quantized(model, table).reasons
    assert reasons == {
        "known_node": "both operands are constants: it is computed once, when the engine is built",
        "dynamic_node": "its weights are computed at run time",
        "infinite_node": "its weights hold NaN or infinity",
        "double_node": "its input x64 is double, and Q/DQ takes float32",
        "inner_node": "inside a subgraph of If chosen_node",
    }


def test_float16_models_stay_in_floating_point_as_a_whole(quantized: Rewrite) -> None:
    nodes = [
        node("MatMul", ["x", "w"], "a"),
        node("Cast", ["x"], "x16", to=onnx.TensorProto.FLOAT16),
        node("MatMul", ["x16", "w16"], "b"),
    ]
    constants: Constants = {"w": weights(0, 8, 8), "w16": weights(1, 8, 8).astype(np.float16)}
    model = make_model(nodes, {"x": [8, 8]}, ["a", "b"], constants)
    result = quantized(model, {"x": "3c010204", "x16": "3c010204"})
    assert result.reasons == {"b_node": "its input x16 is float16, and Q/DQ takes float32"}


def test_operators_of_other_domains_are_not_mistaken_for_onnx_ones(quantized: Rewrite) -> None:
    nodes = [node("MatMul", ["x", "w"], "a"), node("MatMul", ["a", "w"], "b", domain="elsewhere")]
    model = make_model(nodes, {"x": [8, 8]}, ["a"], {"w": weights(0, 8, 8)}, domains=["elsewhere"])
    result = quantized(model, {"x": "3c010204", "a": "3c010204"})
    assert result.result["quantized"] == ["a_node"]
