"""Weights keep within half a scale of themselves, whatever they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from tests.unit.onnx_models import node, run
from trtfarm_builder.quantization.weights import weight_scales

Float32 = NDArray[np.float32]


def there_and_back(axis: int | None) -> onnx.ModelProto:
    """Q and DQ as a model of weights w and their scales s, at run time."""
    attributes = {} if axis is None else {"axis": axis}
    graph = helper.make_graph(
        [
            node("QuantizeLinear", ["w", "s", "z"], "q", **attributes),
            node("DequantizeLinear", ["q", "s", "z"], "y", **attributes),
        ],
        "there and back",
        [
            helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, ["a", "b"]),
            helper.make_tensor_value_info("s", onnx.TensorProto.FLOAT, [] if axis is None else ["c"]),
            helper.make_tensor_value_info("z", onnx.TensorProto.INT8, [] if axis is None else ["c"]),
        ],
        [
            helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None),
            helper.make_tensor_value_info("q", onnx.TensorProto.INT8, None),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


MODELS = {axis: there_and_back(axis) for axis in (None, 0, 1)}


@st.composite
def matrices(draw: st.DrawFn) -> Float32:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    # One magnitude for each row, so that channels differ by up to the whole range of float32.
    magnitudes = [
        float(np.float32(2) ** exponent)
        for exponent in draw(st.lists(st.integers(-140, 120), min_size=rows, max_size=rows))
    ]
    units = draw(st.lists(st.floats(-1, 1, width=32), min_size=rows * columns, max_size=rows * columns))
    return np.array(units, np.float32).reshape(rows, columns) * np.array(magnitudes, np.float32)[:, None]


@pytest.mark.parametrize("axis", [None, 0, 1])
@given(weights=matrices())
def test_no_weight_moves_by_more_than_half_a_scale(axis: int | None, weights: Float32) -> None:
    scales = weight_scales(weights, axis)
    result = run(MODELS[axis], {"w": weights, "s": scales, "z": np.zeros(scales.shape, np.int8)})
    moved = np.abs(result["y"].astype(np.float64) - weights)
    spread = scales.reshape(-1, 1) if axis == 0 else scales
    # w / s and q * s are rounded to float32 once each, at up to 127 s.
    assert (moved <= spread * (0.5 + 127 * 2 * np.finfo(np.float32).eps)).all()
    assert np.abs(result["q"].astype(int)).max() <= 127


def test_the_largest_weight_of_a_channel_becomes_127() -> None:
    weights = np.array([[0.5, -2.0], [0.25, 0.1]], np.float32)
    assert weight_scales(weights, 0) == pytest.approx([2 / 127, 0.25 / 127])
    assert weight_scales(weights, 1) == pytest.approx([0.5 / 127, 2 / 127])
    assert weight_scales(weights, None) == pytest.approx(2 / 127)


def test_a_channel_of_zeros_gets_a_scale_above_zero() -> None:
    weights = np.array([[0.0, 0.0], [127.0, 1.0], [1e-39, 0.0]], np.float32)
    assert weight_scales(weights, 0).tolist() == [1, 1, 1]
    assert weight_scales(np.zeros((2, 2), np.float32), 0).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("values", "reason"),
    [([1, np.nan], "NaN or infinity"), ([1, -np.inf], "NaN or infinity"), ([], "empty")],
)
def test_weights_without_a_range_are_refused(values: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        weight_scales(np.array([values], np.float32), 0)
