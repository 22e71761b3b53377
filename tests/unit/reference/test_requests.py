"""What cannot be calibrated is refused with a reason."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.unit.onnx_models import make_model, node, weights
from tests.unit.reference.runs import request, run_calibrate
from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadDataError, BadModelError, BadRequestError
from trtfarm_builder.reference import calibrate


@pytest.fixture
def model() -> onnx.ModelProto:
    return make_model([node("Relu", ["x"], "y")], {"x": ["N", 4]}, ["y"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"calibrator": "entropy", "before_fusion": False}, "after layer fusion"),
        ({"calibrator": "kmeans"}, "unknown calibrator 'kmeans'"),
    ],
)
def test_rules_that_the_reference_does_not_know(
    tmp_path: Path, model: onnx.ModelProto, rule: dict[str, Any], message: str
) -> None:
    args = request(tmp_path, model, {"x": weights(1, 4, 4)}, "minmax", 2)
    args["rule"].update(rule)
    with pytest.raises(BadRequestError, match=message) as error:
        run_calibrate(args)
    assert error.value.remedy


def test_a_fixed_batch_of_another_size(tmp_path: Path) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": [4, 3]}, ["y"])
    args = request(tmp_path, model, {"x": weights(1, 8, 3)}, "minmax", 2)
    with pytest.raises(BadRequestError, match="takes batches of 4, not of 2"):
        run_calibrate(args)
    args["rule"]["batch_size"] = 4
    assert run_calibrate(args)["batches"] == 2


def test_too_few_samples_for_a_batch(tmp_path: Path, model: onnx.ModelProto) -> None:
    with pytest.raises(BadDataError, match="4 samples do not fill one batch of 5"):
        run_calibrate(request(tmp_path, model, {"x": weights(1, 4, 4)}, "minmax", 5))


def test_an_incomplete_last_batch_is_dropped_and_told(tmp_path: Path, model: onnx.ModelProto) -> None:
    data = np.array([[1, 2, 3, 4], [1, 1, 1, 1], [9, 9, 9, 9]], np.float32)
    answer = run_calibrate(request(tmp_path, model, {"x": data}, "minmax", 2))
    assert (answer["samples"], answer["batches"]) == (2, 1)
    assert answer["scales"]["x"] == run_calibrate(request(tmp_path, model, {"x": data[:2]}, "minmax", 2))["scales"]["x"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": weights(1, 4, 4)}, r"for inputs \['z'\], the model has \['x'\]"),
        ({"x": weights(1, 4, 4), "z": weights(1, 4, 4)}, r"for inputs \['x', 'z'\]"),
        ({"x": weights(1, 4, 4).astype(np.float64)}, "takes float32, its data are float64"),
        ({"x": weights(1, 4, 5)}, r"takes shape \['any', 4\], its data are \[4, 5\]"),
        ({"x": weights(1, 4, 4, 1)}, r"its data are \[4, 4, 1\]"),
    ],
    ids=["name", "extra", "dtype", "shape", "rank"],
)
def test_data_that_do_not_fit_the_model(
    tmp_path: Path, model: onnx.ModelProto, arrays: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(BadDataError, match=message):
        run_calibrate(request(tmp_path, model, arrays, "minmax", 2))


def test_inputs_of_different_lengths(tmp_path: Path) -> None:
    model = make_model([node("Add", ["x", "z"], "y")], {"x": ["N", 4], "z": ["N", 4]}, ["y"])
    with pytest.raises(BadDataError, match="different numbers of samples"):
        run_calibrate(request(tmp_path, model, {"x": weights(1, 4, 4), "z": weights(1, 6, 4)}, "minmax", 2))


def _write_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _write_fortran(path: Path) -> None:
    np.save(path, np.asfortranarray(np.load(path)))


def _write_objects(path: Path) -> None:
    np.save(path, np.load(path).astype(object), allow_pickle=True)


def _write_text(path: Path) -> None:
    path.write_text("1, 2, 3")


def _write_other_shape(path: Path) -> None:
    np.save(path, weights(1, 5, 4))


@pytest.mark.parametrize(
    "spoil", [_write_truncated, _write_fortran, _write_objects, _write_text, _write_other_shape, Path.unlink]
)
def test_damaged_data(tmp_path: Path, model: onnx.ModelProto, spoil: Any) -> None:
    args = request(tmp_path, model, {"x": weights(1, 4, 4)}, "minmax", 2)
    spoil(tmp_path / "x.npy")
    with pytest.raises(BadDataError, match="input 'x'"):
        run_calibrate(args)


def test_values_that_an_operator_refuses_name_its_node(tmp_path: Path) -> None:
    model = make_model([node("Gather", ["table", "ids"], "y")], {}, ["y"], {"table": weights(1, 3, 2)})
    model.graph.input.append(helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["N"]))
    args = request(tmp_path, model, {"ids": np.array([0, 1, 2, 7])}, "minmax", 2)
    with pytest.raises(BadDataError, match="fails on these samples") as error:
        run_calibrate(args)
    assert error.value.cause is not None
    assert "y_node" in error.value.cause


def test_an_unknown_operator(tmp_path: Path) -> None:
    model = make_model([node("Relu", ["x"], "h")], {"x": ["N", 4]}, ["h"])
    model.graph.node.append(helper.make_node("Frobnicate", ["h"], ["y"], name="frob"))
    args = request(tmp_path, model, {"x": weights(1, 4, 4)}, "minmax", 2)
    with pytest.raises(BadModelError, match="cannot load the model") as error:
        run_calibrate(args)
    assert error.value.cause is not None
    assert "Frobnicate" in error.value.cause


def test_nodes_of_one_name(tmp_path: Path) -> None:
    twins = [helper.make_node("Relu", ["x"], ["h"], name="twin"), helper.make_node("Relu", ["h"], ["y"], name="twin")]
    args = request(tmp_path, make_model(twins, {"x": ["N", 4]}, ["y"]), {"x": weights(1, 4, 4)}, "minmax", 2)
    with pytest.raises(BadModelError, match="'twin' is the name of 2 nodes"):
        run_calibrate(args)


def test_a_file_that_is_no_model(tmp_path: Path, model: onnx.ModelProto) -> None:
    args = request(tmp_path, model, {"x": weights(1, 4, 4)}, "minmax", 2)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(BadModelError):
        run_calibrate(args)


def test_progress_counts_batches_and_then_tensors(tmp_path: Path, model: onnx.ModelProto) -> None:
    args = request(tmp_path, model, {"x": weights(1, 6, 4)}, "entropy2", 2)
    reader, writer = os.pipe()
    calibrate.run(args, Channel(writer))
    os.close(writer)
    with os.fdopen(reader) as events:
        told = [(event["stage"], event["done"], event["total"], event["unit"]) for event in map(json.loads, events)]
    assert told == [
        *(("calibrate", done, 3, "batches") for done in (1, 2, 3)),
        *(("search", done, 2, "tensors") for done in (1, 2)),
    ]
