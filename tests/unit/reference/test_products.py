"""Gemm split into product and sum: the same numbers, and one tensor more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.unit.onnx_models import make_model, node, random_feeds, run, weights
from tests.unit.reference.runs import request, run_calibrate
from trtfarm_builder.reference.network import load_network

_WEIGHTS = {"w": weights(1, 8, 5), "b": weights(2, 5)}


def gemm_model(*, opset: int = 13, transposed: bool = False, **attributes: float) -> onnx.ModelProto:
    constants = {**_WEIGHTS, "w": _WEIGHTS["w"].T.copy()} if transposed else _WEIGHTS
    options = {**attributes, **({"transB": 1} if transposed else {})}
    return make_model([node("Gemm", ["x", "w", "b"], "y", **options)], {"x": ["N", 8]}, ["y"], constants, opset=opset)


def tensors_of(model: onnx.ModelProto, folder: Path) -> list[str]:
    onnx.save_model(model, folder / "model.onnx")
    return list(load_network(folder / "model.onnx").tensors)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18])
@pytest.mark.parametrize("transposed", [False, True])
def test_product_is_what_the_bias_is_added_to(tmp_path: Path, opset: int, transposed: bool) -> None:  # noqa: FBT001
    model = gemm_model(opset=opset, transposed=transposed)
    feeds = random_feeds(model, 4)
    onnx.save_model(model, tmp_path / "model.onnx")
    network = load_network(tmp_path / "model.onnx")
    found = run(onnx.load_model_from_string(network.cut(["y#product", "y"])), feeds)
    np.testing.assert_allclose(found["y#product"], feeds["x"] @ _WEIGHTS["w"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["y"], found["y#product"] + _WEIGHTS["b"])
    np.testing.assert_allclose(found["y"], run(model, feeds)["y"], rtol=1e-5, atol=1e-6)


def test_a_table_has_the_product_before_the_sum(tmp_path: Path) -> None:
    model = gemm_model()
    answer = run_calibrate(request(tmp_path, model, random_feeds(model, 4), "minmax", 2))
    assert list(answer["scales"]) == ["x", "y#product", "y"]
    assert answer["scales"]["y#product"] != answer["scales"]["y"]


@pytest.mark.parametrize("weighed", [{"alpha": 0.5}, {"beta": 2.0}])
def test_weighed_products_and_biases_stay_whole(tmp_path: Path, weighed: dict[str, Any]) -> None:
    assert tensors_of(gemm_model(**weighed), tmp_path) == ["x", "y"]


def test_a_product_alone_has_its_own_name(tmp_path: Path) -> None:
    model = make_model([node("Gemm", ["x", "w"], "y")], {"x": ["N", 8]}, ["y"], {"w": _WEIGHTS["w"]})
    assert tensors_of(model, tmp_path) == ["x", "y"]


def test_a_tensor_that_has_the_name_already_keeps_it(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], "y#product"), node("Gemm", ["y#product", "w", "b"], "y")]
    assert tensors_of(make_model(nodes, {"x": ["N", 8]}, ["y"], _WEIGHTS), tmp_path) == ["x", "y#product", "y"]
