"""Values that have no scale of their own: zeros, infinities, not-a-numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.onnx_models import make_model, node
from tests.unit.reference.runs import request, run_calibrate
from trtfarm_builder.failures import BadDataError, BadModelError

ONES = np.ones((4, 3), np.float32)
ONE_127TH = "3c010204"


@pytest.mark.parametrize("calibrator", ["minmax", "entropy2", "legacy", "percentile", "mse"])
def test_a_tensor_that_is_zero_throughout_gets_a_scale_and_is_reported(tmp_path: Path, calibrator: str) -> None:
    model = make_model([node("Sub", ["x", "x"], "zero"), node("Add", ["x", "zero"], "y")], {"x": ["N", 3]}, ["y"])
    answer = run_calibrate(request(tmp_path, model, {"x": ONES}, calibrator, 2))
    assert answer["scales"]["zero"] == ONE_127TH
    assert answer["assumed"] == [{"tensor": "zero", "reason": "zero throughout; its largest magnitude is taken as 1"}]
    assert answer["skipped"] == []


def test_magnitudes_that_a_gpu_takes_for_zero_are_zero(tmp_path: Path) -> None:
    model = make_model([node("Mul", ["x", "tiny"], "y")], {"x": ["N", 3]}, ["y"], {"tiny": np.array(1e-40, np.float32)})
    answer = run_calibrate(request(tmp_path, model, {"x": ONES}, "entropy2", 2))
    assert answer["scales"]["y"] == ONE_127TH
    assert [item["reason"].partition(" throughout")[0] for item in answer["assumed"]] == ["nearly zero"]


def test_a_tensor_that_is_zero_at_first_has_its_range_from_the_first_batch_that_is_not(tmp_path: Path) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": ["N", 1]}, ["y"])
    late = np.array([[-1], [-1], [2], [1.5], [3], [1]], np.float32)
    again = request(tmp_path, model, {"x": late}, "entropy2", 2)
    scales = run_calibrate(again)["scales"]
    early = run_calibrate(request(tmp_path, model, {"x": late[2:]}, "entropy2", 2))["scales"]
    assert scales["y"] == early["y"]


def test_a_mask_of_infinities_is_skipped_and_the_rest_is_calibrated(tmp_path: Path) -> None:
    model = make_model(
        [node("Log", ["mask"], "hidden"), node("Add", ["x", "hidden"], "scores"), node("Softmax", ["scores"], "y")],
        {"x": ["N", 3]},
        ["y"],
        {"mask": np.array([1, 1, 0], np.float32)},
    )
    answer = run_calibrate(request(tmp_path, model, {"x": ONES}, "entropy2", 2))
    assert list(answer["scales"]) == ["x", "y"]
    assert answer["skipped"] == [
        {"tensor": "hidden", "reason": "a value is infinite"},
        {"tensor": "scores", "reason": "a value is infinite"},
    ]


def test_an_output_that_is_not_a_number_fails_and_names_where_it_began(tmp_path: Path) -> None:
    model = make_model(
        [node("Log", ["x"], "logs"), node("Sub", ["logs", "logs"], "broken"), node("Relu", ["broken"], "y")],
        {"x": ["N", 3]},
        ["y"],
    )
    with pytest.raises(BadModelError, match="output 'y' holds values that are not a number") as error:
        run_calibrate(request(tmp_path, model, {"x": ONES * 0}, "minmax", 2))
    assert error.value.cause is not None
    assert "'logs'" in error.value.cause


@pytest.mark.parametrize(("value", "word"), [(np.nan, "not a number"), (np.inf, "infinite")])
def test_data_that_are_not_finite_are_refused(tmp_path: Path, value: float, word: str) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": ["N", 3]}, ["y"])
    data = ONES.copy()
    data[2, 1] = value
    with pytest.raises(BadDataError, match=f"input 'x' holds a value that is {word} among samples 2 to 3"):
        run_calibrate(request(tmp_path, model, {"x": data}, "entropy2", 2))


def test_a_model_without_float_tensors_is_refused(tmp_path: Path) -> None:
    model = make_model([node("Shape", ["x"], "y")], {"x": ["N", 3]}, ["y"])
    model.graph.input[0].type.tensor_type.elem_type = 7
    with pytest.raises(BadModelError, match="no float tensor"):
        run_calibrate(request(tmp_path, model, {"x": np.ones((4, 3), np.int64)}, "minmax", 2))
