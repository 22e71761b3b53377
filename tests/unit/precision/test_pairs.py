"""Q/DQ pairs in float16: the same INT8 values, and scales that float16 can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from tests.unit.onnx_models import make_model, node, random_feeds, run, silent_channel, weights
from tests.unit.rewrites import Rewrite, Rewritten
from trtfarm_builder.precision.halves import LARGEST, Halves
from trtfarm_builder.quantization import quantize
from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.graph import Graph
from trtfarm_builder.quantization.scales import hex_from_scale

TABLE = {"x": hex_from_scale(0.03), "a": hex_from_scale(0.02)}


@pytest.fixture
def pairs(converted: Rewrite, tmp_path: Path) -> Rewritten:
    """Two quantised products, the second with tiny weights, and a Relu between them; converted."""
    with silent_channel() as channel:
        path = tmp_path / "plain.onnx"
        onnx.save(_model(), path)
        quantize.run({"model": str(path), "scales": TABLE}, channel)
    return converted(tmp_path / "quantized.onnx")


def _model() -> onnx.ModelProto:
    return make_model(
        [node("MatMul", ["x", "w"], "p"), node("Relu", ["p"], "a"), node("MatMul", ["a", "v"], "y")],
        {"x": (2, 8)},
        ["y"],
        {"w": weights(1, 8, 8), "v": weights(2, 8, 4) * np.float32(1e-5)},
    )


def test_the_second_pair_is_float16_and_the_first_reads_the_input_as_it_is(pairs: Rewritten) -> None:
    assert pairs.result["opset"] == 19
    types, nodes = pairs.types(), {item.name: item for item in pairs.model.graph.node}
    made = {name: (types[nodes[name].input[0]], types[nodes[name].input[1]]) for name in nodes if "Quantize" in name}
    assert made == {
        "x/QuantizeLinear": (TensorProto.FLOAT, TensorProto.FLOAT),
        "w/QuantizeLinear": (TensorProto.FLOAT, TensorProto.FLOAT),
        "v/QuantizeLinear": (TensorProto.FLOAT, TensorProto.FLOAT),
        "a/QuantizeLinear": (TensorProto.FLOAT16, TensorProto.FLOAT16),
    }
    for name in ("x", "w", "a", "v"):
        assert types[nodes[f"{name}/DequantizeLinear"].output[0]] == TensorProto.FLOAT16
        # What lies between the two nodes of a pair is read by nothing but INT8 code.
        assert nodes[f"{name}/DequantizeLinear"].input[0] == nodes[f"{name}/QuantizeLinear"].output[0]


def test_both_nodes_of_a_pair_have_one_scale(pairs: Rewritten) -> None:
    values = {item.name: numpy_helper.to_array(item) for item in pairs.model.graph.initializer}
    nodes = {item.name: item for item in pairs.model.graph.node}
    for name in ("x", "w", "a", "v"):
        first, second = (values[nodes[f"{name}/{word}"].input[1]] for word in ("QuantizeLinear", "DequantizeLinear"))
        assert second.dtype == np.float16
        np.testing.assert_array_equal(first.astype(np.float64), second.astype(np.float64))


def test_weights_below_float16_still_use_all_of_int8(pairs: Rewritten) -> None:
    """Weights of 1e-6 have one digit in float16; they are quantised from float32."""
    quantized = _with_output(pairs.model, "v/quantized", TensorProto.INT8)
    levels = run(quantized, random_feeds(_model()))["v/quantized"]
    assert (np.abs(levels).max(axis=0) >= 50).all()


def test_it_computes_what_the_model_does(pairs: Rewritten) -> None:
    feeds = random_feeds(_model())
    expected, got = run(_model(), feeds)["y"], run(pairs.path, feeds)["y"]
    assert np.vdot(expected, got) / (np.linalg.norm(expected) * np.linalg.norm(got)) > 0.999


@given(st.floats(min_value=float(np.finfo(np.float32).tiny), max_value=LARGEST, width=32))
def test_scales_are_rounded_up_to_the_next_float16(scale: float) -> None:
    model = make_model([node("Mul", ["x", "s"], "y")], {"x": (1,)}, ["y"], {"s": np.array(scale, np.float32)})
    graph = Graph(model)
    rounded = float(Halves(graph, Constants(graph, Path())).scale("s"))
    below = float(np.nextafter(np.float16(rounded), np.float16(0)))
    assert below < scale <= rounded < np.inf


def _with_output(model: onnx.ModelProto, name: str, kind: int) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    return copy
