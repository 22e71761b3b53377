"""Which tensors of small graphs get Q/DQ, and for which readers; every result still computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.unit.onnx_models import make_model, node, pairs_in, weights
from tests.unit.quantization.checks import check_close, sources, table_of
from tests.unit.rewrites import Rewrite

Constants = dict[str, NDArray[Any]]


def residual_block(*, projection: bool) -> onnx.ModelProto:
    skip = [node("Conv", ["stem", "wp"], "skip")] if projection else [node("Identity", ["stem"], "skip")]
    nodes = [
        node("Conv", ["x", "w0"], "stem0", pads=[1] * 4),
        node("Relu", ["stem0"], "stem"),
        *skip,
        node("Conv", ["stem", "w1"], "a", pads=[1] * 4),
        node("Relu", ["a"], "b"),
        node("Conv", ["b", "w2"], "main", pads=[1] * 4),
        node("Add", ["skip", "main"], "sum"),
        node("Relu", ["sum"], "c"),
        node("Conv", ["c", "w3"], "y"),
    ]
    constants: Constants = {f"w{i}": weights(i, 8, 8, 3, 3) for i in range(4)} | {"wp": weights(9, 8, 8, 1, 1)}
    if not projection:
        del constants["wp"]
    return make_model(nodes, {"x": ["N", 8, 8, 8]}, ["y"], constants)


@pytest.mark.parametrize("model", [residual_block(projection=False), residual_block(projection=True)])
def test_the_skip_input_of_a_residual_addition_is_quantised_and_the_convolution_is_not(
    quantized: Rewrite, model: onnx.ModelProto
) -> None:
    result = quantized(model, table_of(model))
    assert sources(result)["sum_node", 0] == "skip"
    assert ("sum_node", 1) not in pairs_in(result.model)
    assert "sum_node" in result.result["quantized"]
    check_close(model, result)


def test_an_addition_whose_sum_stays_in_floating_point_is_not_quantised(quantized: Rewrite) -> None:
    nodes = [
        node("Conv", ["x", "w"], "main", pads=[1] * 4),
        node("Add", ["main", "x"], "sum"),
        node("Softmax", ["sum"], "y", axis=1),
    ]
    model = make_model(nodes, {"x": ["N", 4, 5, 5]}, ["y"], {"w": weights(0, 4, 4, 3, 3)})
    assert set(pairs_in(quantized(model, table_of(model)).model)) == {("main_node", 0), ("main_node", 1)}


def test_a_convolution_that_somebody_else_reads_too_is_not_fused_with_an_addition(quantized: Rewrite) -> None:
    nodes = [
        node("Conv", ["x", "w"], "main", pads=[1] * 4),
        node("Add", ["main", "x"], "sum"),
        node("Conv", ["sum", "w"], "y"),
    ]
    model = make_model(nodes, {"x": ["N", 4, 5, 5]}, ["main", "y"], {"w": weights(0, 4, 4, 3, 3)})
    assert ("sum_node", 1) not in pairs_in(quantized(model, table_of(model)).model)


def test_average_pooling_gets_a_pair_of_its_own_on_the_way_to_int8_and_max_pooling_needs_none(
    quantized: Rewrite,
) -> None:
    nodes = [
        node("Conv", ["x", "w1"], "a"),
        node("MaxPool", ["a"], "m", kernel_shape=[2, 2]),
        node("Conv", ["m", "w2"], "b"),
        node("GlobalAveragePool", ["b"], "g"),
        node("Flatten", ["g"], "f"),
        node("Gemm", ["f", "w3"], "c"),
        node("Reshape", ["c", "shape"], "d"),
        node("GlobalAveragePool", ["d"], "y"),
    ]
    constants: Constants = {
        "w1": weights(1, 8, 4, 3, 3),
        "w2": weights(2, 8, 8, 3, 3),
        "w3": weights(3, 8, 16),
        "shape": np.array([0, 4, 2, 2], np.int64),
    }
    model = make_model(nodes, {"x": ["N", 4, 9, 9]}, ["y"], constants)
    result = quantized(model, table_of(model))
    found = sources(result)
    assert found["g_node", 0] == "b"
    assert found["b_node", 0] == "m"
    assert not {("m_node", 0), ("y_node", 0)} & set(found)
    check_close(model, result)


def test_a_concatenation_is_quantised_once_at_its_reader(quantized: Rewrite) -> None:
    nodes = [
        node("Conv", ["x", "w1"], "a"),
        node("Conv", ["x", "w2"], "b"),
        node("Concat", ["a", "b"], "c", axis=1),
        node("Conv", ["c", "w3"], "y"),
    ]
    constants: Constants = {"w1": weights(1, 4, 4, 3, 3), "w2": weights(2, 6, 4, 3, 3), "w3": weights(3, 5, 10, 1, 1)}
    model = make_model(nodes, {"x": ["N", 4, 9, 9]}, ["y"], constants)
    result = quantized(model, table_of(model))
    assert {place: name for place, name in sources(result).items() if place[1] == 0} == {
        ("a_node", 0): "x",
        ("b_node", 0): "x",
        ("y_node", 0): "c",
    }
    shared = [item for item in result.model.graph.node if item.input[0] == "x"]
    assert len(shared) == 1, "both convolutions read one pair"
    check_close(model, result)


def attention() -> onnx.ModelProto:
    """One head of self-attention, a residual addition, and a layer norm written out in elementary operators."""
    nodes = [node("MatMul", ["x", f"w{name}"], name) for name in "qkv"]
    nodes += [
        node("Transpose", ["k"], "kt", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "scores"),
        node("Div", ["scores", "root"], "scaled"),
        node("Softmax", ["scaled"], "p", axis=-1),
        node("MatMul", ["p", "v"], "o"),
        node("MatMul", ["o", "wo"], "out"),
        node("Add", ["out", "x"], "h"),
        node("ReduceMean", ["h"], "mean", axes=[-1]),
        node("Sub", ["h", "mean"], "d"),
        node("Pow", ["d", "two"], "dd"),
        node("ReduceMean", ["dd"], "variance", axes=[-1]),
        node("Sqrt", ["variance"], "sd"),
        node("Div", ["d", "sd"], "ln"),
        node("MatMul", ["ln", "wf"], "y"),
    ]
    constants: Constants = {f"w{name}": weights(number, 8, 8) for number, name in enumerate(["q", "k", "v", "o", "f"])}
    constants |= {"root": np.array(2.8, np.float32), "two": np.array(2, np.float32)}
    return make_model(nodes, {"x": ["N", 6, 8]}, ["y"], constants)


def test_attention_quantises_matrix_products_and_nothing_of_softmax_and_layer_norm(quantized: Rewrite) -> None:
    model = attention()
    result = quantized(model, table_of(model))
    found = sources(result)
    assert {name for name, _ in found} == {f"{name}_node" for name in ["q", "k", "v", "scores", "o", "out", "y"]}
    assert (found["scores_node", 0], found["scores_node", 1]) == ("q", "kt")
    assert (found["o_node", 0], found["o_node", 1]) == ("p", "v")
    check_close(model, result, least=0.995)


def test_shared_weights_share_a_pair_only_along_the_same_axis(quantized: Rewrite) -> None:
    nodes = [
        node("Gather", ["w", "rows"], "e"),
        node("MatMul", ["e", "w"], "a"),
        node("MatMul", ["a", "w"], "b"),
        node("Gemm", ["b", "w"], "c", transB=1),
        node("Add", ["c", "x"], "y"),
    ]
    constants: Constants = {"w": weights(0, 8, 8), "rows": np.array([1, 3], np.int64)}
    model = make_model(nodes, {"x": [2, 8]}, ["y"], constants)
    result = quantized(model, table_of(model))
    axes = {place: pair.axis for place, pair in pairs_in(result.model).items() if pair.source == "w"}
    assert axes == {("a_node", 1): 1, ("b_node", 1): 1, ("c_node", 1): 0}
    assert sum(item.op_type == "QuantizeLinear" and item.input[0] == "w" for item in result.model.graph.node) == 2
    assert result.model.graph.node[0].input[0] == "w", "the gather reads the weights themselves"
    check_close(model, result)


def test_an_initializer_that_is_also_a_graph_input_is_a_weight(quantized: Rewrite) -> None:
    model = make_model([node("MatMul", ["x", "w"], "y")], {"x": ["N", 8], "w": [8, 5]}, ["y"], {"w": weights(0, 8, 5)})
    result = quantized(model, table_of(model))
    assert pairs_in(result.model)["y_node", 1].axis == 1
    assert [item.name for item in result.model.graph.input] == ["x", "w"]
    check_close(model, result)


def test_names_that_are_taken_are_left_alone(quantized: Rewrite) -> None:
    nodes = [
        node("Identity", ["x"], "x/quantized"),
        node("MatMul", ["x/quantized", "x/scale"], "a"),
        node("MatMul", ["x", "x/scale"], "b"),
        node("Add", ["a", "b"], "y"),
    ]
    model = make_model(nodes, {"x": ["N", 8]}, ["y"], {"x/scale": weights(0, 8, 5)})
    result = quantized(model, table_of(model))
    assert sources(result)["a_node", 0] == "x/quantized"
    assert sources(result)["b_node", 0] == "x"
    check_close(model, result)


def test_a_missing_scale_leaves_its_readers_in_floating_point(quantized: Rewrite) -> None:
    nodes = [node("MatMul", ["x", "w1"], "a"), node("Relu", ["a"], "b"), node("MatMul", ["b", "w2"], "y")]
    model = make_model(nodes, {"x": ["N", 8]}, ["y"], {"w1": weights(1, 8, 8), "w2": weights(2, 8, 8)})
    table = table_of(model)
    del table["b"]
    result = quantized(model, table)
    assert result.reasons == {"y_node": "the table has no scale for its input b"}
    assert result.result["missing_scales"] == ["b"]
    assert {name for name, _ in pairs_in(result.model)} == {"a_node"}
