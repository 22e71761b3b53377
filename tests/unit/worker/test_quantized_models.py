"""What becomes of an order whose model has Q/DQ nodes already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.unit.onnx_models import make_model, node, weights
from trtfarm.calibrators import Calibrator
from trtfarm.errors import ModelError, UsageError
from trtfarm.models.model import Model
from trtfarm_worker.order import Order
from trtfarm_worker.quantized_models import as_handed_in
from trtfarm_worker.sites import CalibrateWith

CONSTANTS = {"w": weights(0, 4, 3, 3, 3), "scale": np.float32(0.1), "zero": np.int8(0)}
QDQ = (
    node("QuantizeLinear", ["x", "scale", "zero"], "q"),
    node("DequantizeLinear", ["q", "scale", "zero"], "dq"),
    node("Conv", ["dq", "w"], "y"),
)
DYNAMIC = (
    onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"),
    node("DequantizeLinear", ["q", "s", "z"], "y"),
)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return read(tmp_path, *QDQ)


def read(folder: Path, *nodes: onnx.NodeProto) -> Model:
    arrays: Any = {name: np.asarray(value) for name, value in CONSTANTS.items()}
    onnx.save(make_model(nodes, {"x": [1, 3, 8, 8]}, ["y"], arrays), str(folder / "model.onnx"))
    return Model.read(folder / "model.onnx")


def handed_in(model: Model, **values: Any) -> tuple[Order, list[str]]:
    told: list[str] = []
    return as_handed_in(Order(model=model.path, **values), model, told.append), told


@pytest.mark.parametrize("precision", ["int8", "int8+fp16"])
def test_it_is_explicit_int8_without_calibration_and_that_is_told(model: Model, precision: str) -> None:
    order, told = handed_in(model, precision=precision)
    assert (order.explicit, order.prequantized) == (True, True)
    assert told == ["the model has Q/DQ nodes: it is built by them as it is, and nothing is calibrated"]


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"calibrator": Calibrator.ENTROPY2}, "--calibrator"),
        ({"compare": True}, "--calibrator"),
        ({"data": ("x.npy",)}, "--data"),
        ({"shards": 2}, "--shards"),
        ({"table": "x.table"}, "--table"),
        ({"batch_size": 5}, "--batch-size"),
        ({"calibrate_with": CalibrateWith.REFERENCE}, "--calibrate-with"),
        ({"search": True}, "--search"),
        ({"exclude_nodes": ("y_node",)}, "--exclude"),
        ({"build_options": {"dynamic_ranges": {"x": 1.0}}}, "--dynamic-ranges"),
    ],
)
def test_what_would_be_done_before_is_refused(model: Model, values: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} cannot be used here") as caught:
        handed_in(model, **values)
    assert caught.value.cause == "the model has Q/DQ nodes, which hold its scales"
    assert caught.value.remedy


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_precision_without_int8_is_refused(model: Model, precision: str) -> None:
    with pytest.raises(UsageError, match=f"{precision} cannot be built of a model with Q/DQ nodes"):
        handed_in(model, precision=precision)


def test_q_dq_nodes_may_be_those_of_fp8(model: Model) -> None:
    order, told = handed_in(model, precision="fp8")
    assert (order.explicit, order.prequantized, told) == (False, True, [])


def test_int8_without_q_dq_nodes_is_no_model_to_calibrate(tmp_path: Path) -> None:
    model = read(tmp_path, *DYNAMIC)
    with pytest.raises(ModelError, match="not by Q/DQ nodes: it has DynamicQuantizeLinear"):
        handed_in(model)


def test_any_other_model_is_calibrated_as_asked(tmp_path: Path) -> None:
    model = read(tmp_path, node("Conv", ["x", "w"], "y"))
    order, told = handed_in(model, calibrator=Calibrator.ENTROPY2)
    assert (order, told) == (Order(model=model.path, calibrator=Calibrator.ENTROPY2), [])
