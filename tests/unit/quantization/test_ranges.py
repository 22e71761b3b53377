"""Scales read back from Q/DQ models: ours exactly, those of others as the symmetric range that holds theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from tests.unit.onnx_models import make_model, node, read_table, silent_channel, weights
from tests.unit.rewrites import Rewrite
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.quantization import ranges
from trtfarm_builder.quantization.scales import scale_from_hex

ReadRanges = Callable[[onnx.ModelProto], dict[str, Any]]


@pytest.fixture
def read_ranges(tmp_path: Path) -> ReadRanges:
    def run(model: onnx.ModelProto) -> dict[str, Any]:
        path = tmp_path / "qdq.onnx"
        onnx.save(model, path)
        with silent_channel() as channel:
            return ranges.run({"model": str(path)}, channel)

    return run


@pytest.mark.parametrize("name", ["lenet", "zoo"])
def test_what_the_quantizer_wrote_is_read_back_bit_for_bit(
    quantized: Rewrite, read_ranges: ReadRanges, golden: Path, name: str
) -> None:
    table = read_table(golden / name / "entropy2-bs50.table")
    result = quantized(golden / name / "model.onnx", table)
    found = read_ranges(result.model)
    used = {tensor: digits for tensor, digits in table.items() if tensor not in result.result["unused_scales"]}
    assert found == {"scales": used, "widened": [], "skipped": []}
    assert list(found["scales"]) == list(used), "in the order of the network"


def chain(scale: Any, zero: Any, **attributes: Any) -> onnx.ModelProto:
    """x -> Q -> DQ -> y"""
    constants = {"s": np.asarray(scale, np.float32)} | ({} if zero is None else {"z": np.asarray(zero)})
    inputs = ["x", *constants]
    nodes = [
        node("QuantizeLinear", inputs, "q", **attributes),
        node("DequantizeLinear", ["q", *inputs[1:]], "y", **({"axis": 1} if np.ndim(scale) else {})),
    ]
    return make_model(nodes, {"x": ["N", 3]}, ["y"], constants, opset=21)


@pytest.mark.parametrize(
    ("scale", "zero", "amax"),
    [
        (0.5, np.int8(0), 63.5),
        (0.5, np.int8(-128), 127.5),
        (0.5, np.int8(27), 77.5),
        (0.5, np.uint8(0), 127.5),
        (0.5, np.uint8(128), 64.0),
        (0.5, None, 127.5),
    ],
)
def test_a_zero_point_widens_the_range(read_ranges: ReadRanges, scale: float, zero: Any, amax: float) -> None:
    found = read_ranges(chain(scale, zero))
    assert scale_from_hex(found["scales"]["x"]) == pytest.approx(amax / 127, rel=1e-6)
    symmetric = zero is not None and zero.dtype == np.int8 and zero == 0
    assert [item["tensor"] for item in found["widened"]] == ([] if symmetric else ["x"])


def test_the_output_type_counts_where_there_is_no_zero_point(read_ranges: ReadRanges) -> None:
    found = read_ranges(chain(0.5, None, output_dtype=onnx.TensorProto.INT8))
    assert found == {"scales": {"x": "3f000000"}, "widened": [], "skipped": []}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (chain([0.1, 0.2, 0.3], np.zeros(3, np.int8), axis=1), "one scale per channel"),
        (chain(0.1, np.int16(0)), "quantised to int16"),
        (chain(0.0, np.int8(0)), "not a positive number"),
    ],
    ids=["per channel", "16 bits", "zero"],
)
def test_what_a_table_cannot_say_is_skipped_with_a_reason(
    read_ranges: ReadRanges, model: onnx.ModelProto, reason: str
) -> None:
    second = chain(0.25, np.int8(0))
    for item in second.graph.node:
        item.name += "2"
        item.input[:] = [f"{name}2" for name in item.input]
        item.output[:] = [f"{name}2" for name in item.output]
    for item in (*second.graph.initializer, *second.graph.input, *second.graph.output):
        item.name += "2"
    with pytest.raises(BadModelError, match="no quantised activations"):
        read_ranges(model)
    model.graph.MergeFrom(second.graph)
    found = read_ranges(model)
    assert found["scales"] == {"x2": "3e800000"}
    assert [item["tensor"] for item in found["skipped"]] == ["x"]
    assert reason in found["skipped"][0]["reason"]


def test_scales_of_the_run_time_are_skipped(read_ranges: ReadRanges) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], "d"),
        node("QuantizeLinear", ["x", "scale"], "q"),
        node("DequantizeLinear", ["q", "scale"], "y"),
    ]
    nodes[0].output.extend(["scale", "zero"])
    with pytest.raises(BadModelError) as caught:
        read_ranges(make_model(nodes, {"x": ["N", 3]}, ["y"]))
    assert "computed at run time" in str(caught.value.cause)


def test_the_wider_of_two_ranges_is_taken(read_ranges: ReadRanges) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s1", "z"], "q1"),
        node("DequantizeLinear", ["q1", "s1", "z"], "a"),
        node("QuantizeLinear", ["x", "s2", "z"], "q2"),
        node("DequantizeLinear", ["q2", "s2", "z"], "b"),
    ]
    constants: dict[str, NDArray[Any]] = {
        "s1": np.asarray(0.5, np.float32),
        "s2": np.asarray(0.25, np.float32),
        "z": np.zeros((), np.int8),
    }
    found = read_ranges(make_model(nodes, {"x": ["N", 3]}, ["a", "b"], constants))
    assert found["scales"] == {"x": "3f000000"}
    assert [item["tensor"] for item in found["widened"]] == ["x"]


def test_a_model_in_the_form_with_integer_operators_is_refused(read_ranges: ReadRanges) -> None:
    graph = helper.make_graph(
        [node("QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"], "y")],
        "integer",
        [helper.make_tensor_value_info("x", onnx.TensorProto.INT8, [2, 2])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT8, [2, 2])],
        [
            onnx.numpy_helper.from_array(np.ones((), np.float32), "s"),
            onnx.numpy_helper.from_array(np.zeros((), np.int8), "z"),
            onnx.numpy_helper.from_array(np.ones((2, 2), np.int8), "w"),
        ],
    )
    with pytest.raises(BadModelError) as caught:
        read_ranges(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    assert "QLinear" in str(caught.value.cause)


def test_a_floating_point_model_is_refused(read_ranges: ReadRanges) -> None:
    with pytest.raises(BadModelError, match="no quantised activations"):
        read_ranges(make_model([node("MatMul", ["x", "w"], "y")], {"x": [2, 2]}, ["y"], {"w": weights(0, 2, 2)}))
