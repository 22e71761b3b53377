"""The search on models of which some nodes cannot bear INT8: outliers in one channel take the range of all others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.unit.onnx_models import make_model, minmax_table, node, pairs_in, read_table, run, weights
from tests.unit.sensitivity.conftest import Search
from trtfarm_builder.failures import AccuracyError, BadDataError, BadRequestError
from trtfarm_builder.quantization.graph import label

_CHANNELS = 16
DATA = Path(__file__).resolve().parents[3] / "calib_data"
_LAYERS = 6
LENET, MINILM = DATA / "mnist", DATA / "minilm"


def chain(outliers: dict[int, float], *, batch: int | str = "N") -> onnx.ModelProto:
    """Matrix products with tanh between; before those in `outliers`, one channel is that many times the others."""
    nodes, constants, tensor = [], {}, "x"
    for number in range(_LAYERS):
        matrix = np.linalg.qr(weights(number, _CHANNELS, _CHANNELS).astype(np.float64))[0].astype(np.float32)
        if number in outliers:
            factor = np.ones(_CHANNELS, np.float32)
            factor[0] = outliers[number]
            constants[f"factor{number}"] = factor
            matrix /= factor[:, None]
            nodes.append(node("Mul", [tensor, f"factor{number}"], f"scaled{number}"))
            tensor = f"scaled{number}"
        constants[f"w{number}"] = matrix
        nodes += [node("MatMul", [tensor, f"w{number}"], f"m{number}"), node("Tanh", [f"m{number}"], f"t{number}")]
        tensor = f"t{number}"
    return make_model(nodes, {"x": [batch, _CHANNELS]}, [tensor], constants)


def values(seed: int, samples: int = 64) -> dict[str, NDArray[np.float32]]:
    return {"x": weights(seed, samples, _CHANNELS) * 3}


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(np.mean((first * second).sum(axis=1) / lengths))


def found(result: dict[str, object]) -> list[str]:
    search = result["search"]
    assert isinstance(search, dict)
    return [item["node"] for item in search["found"]]


def test_the_nodes_with_outliers_stay_in_floating_point_and_unseen_data_agree(searched: Search) -> None:
    model = chain({1: 200.0, 4: 100.0})
    table = minmax_table(model, values(1))
    result = searched(model, table, values(1), allowed=0.002)
    assert found(result.result) == ["m1_node", "m4_node"]
    assert {where for where, _ in pairs_in(result.model)} == {"m0_node", "m2_node", "m3_node", "m5_node"}
    unseen = values(2)
    assert cosine(run(model, unseen)["t5"], run(result.path, unseen)["t5"]) >= 0.998
    assert result.result["search"]["before"]["loss"] > 0.002
    assert result.result["search"]["after"]["loss"] <= 0.002
    assert "by itself it loses" in result.reasons["m1_node"]


def test_what_it_says_of_the_result_is_what_the_written_model_does(searched: Search) -> None:
    model, data = chain({1: 200.0, 4: 100.0}), values(1)
    result = searched(model, minmax_table(model, data), data, allowed=0.002)
    measured = 1 - cosine(run(model, data)["t5"], run(result.path, data)["t5"])
    assert result.result["search"]["after"]["loss"] == pytest.approx(measured, rel=1e-3)


def test_one_node_is_enough_where_more_may_be_lost(searched: Search) -> None:
    model = chain({1: 200.0, 4: 100.0})
    result = searched(model, minmax_table(model, values(1)), values(1), allowed=0.2)
    assert found(result.result) == ["m1_node"]


def test_the_same_request_finds_and_writes_the_same(searched: Search) -> None:
    model = chain({1: 200.0, 4: 100.0})
    table = minmax_table(model, values(1))
    first = searched(model, table, values(1), allowed=0.002)
    content = first.path.read_bytes()
    second = searched(model, table, values(1), allowed=0.002)
    assert second.result == first.result
    assert second.path.read_bytes() == content


def test_nothing_is_left_out_where_nothing_has_to_be(searched: Search) -> None:
    model = chain({})
    result = searched(model, minmax_table(model, values(1)), values(1), allowed=0.01)
    assert found(result.result) == []
    assert result.result["left"] == []
    assert result.result["search"]["trials"] == 1, "nothing to rank"


def test_what_the_user_leaves_out_stays_out(searched: Search) -> None:
    model = chain({1: 200.0, 4: 100.0})
    table = minmax_table(model, values(1))
    result = searched(model, table, values(1), allowed=0.002, exclude_nodes=["m4*"])
    assert found(result.result) == ["m1_node"]
    assert result.reasons["m4_node"] == "excluded by 'm4*'"


def test_a_fixed_batch_size(searched: Search) -> None:
    model = chain({2: 200.0}, batch=24)
    table = minmax_table(model, values(1, 24))
    result = searched(model, table, values(1), allowed=0.002)
    assert found(result.result) == ["m2_node"]


def test_int8_that_is_not_accurate_with_any_node_is_told(searched: Search, tmp_path: Path) -> None:
    model = chain({1: 200.0})
    with pytest.raises(AccuracyError, match=r"more than 0\.00%") as raised:
        searched(model, minmax_table(model, values(1)), values(1), allowed=0.0)
    assert "all 6 nodes" in str(raised.value.cause)
    assert not (tmp_path / "scratch" / "quantized.onnx").exists()


def test_a_measure_that_nobody_knows(searched: Search) -> None:
    model = chain({})
    with pytest.raises(BadRequestError, match="no measure 'psnr'"):
        searched(model, minmax_table(model, values(1)), values(1), allowed=0.1, measure="psnr")


def test_without_samples(searched: Search) -> None:
    model = chain({})
    with pytest.raises(BadDataError, match="no samples"):
        searched(model, minmax_table(model, values(1)), values(1, 0), allowed=0.1)


def test_weights_beside_the_model_stay_there(searched: Search, tmp_path: Path) -> None:
    model = chain({1: 200.0})
    table = minmax_table(model, values(1))
    path = tmp_path / "apart.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="apart.weights", size_threshold=0)
    result = searched(path, table, values(1), allowed=0.002)
    assert found(result.result) == ["m1_node"]
    assert result.result["external"] == ["apart.weights"]


def test_names_with_the_characters_of_patterns_mean_themselves(searched: Search) -> None:
    model = chain({1: 200.0})
    names = {"m1_node": "layer[1]", "m3_node": "layer1"}
    for item in model.graph.node:
        item.name = names.get(item.name, item.name)
    result = searched(model, minmax_table(model, values(1)), values(1), allowed=0.002)
    assert found(result.result) == ["layer[1]"]
    assert "layer1" in result.result["quantized"]


def test_a_residual_convolution_left_out_takes_its_skip_input_along(searched: Search) -> None:
    factor = np.ones((1, 4, 1, 1), np.float32)
    factor[0, 0] = 300.0
    kernels = {f"w{number}": weights(number, 4, 4, 1, 1) for number in range(3)}
    kernels["w1"] = kernels["w1"] / factor.reshape(1, 4, 1, 1)
    nodes = [
        node("Conv", ["x", "w0"], "c0"),
        node("Mul", ["c0", "factor"], "scaled"),
        node("Conv", ["scaled", "w1"], "c1"),
        node("Add", ["c1", "c0"], "sum"),
        node("Conv", ["sum", "w2"], "y"),
    ]
    model = make_model(nodes, {"x": ["N", 4, 6, 6]}, ["y"], {**kernels, "factor": factor})
    data = {"x": weights(3, 32, 4, 6, 6)}
    result = searched(model, minmax_table(model, data), data, allowed=0.0005)
    assert found(result.result) == ["c1_node"]
    assert result.result["quantized"] == ["c0_node", "y_node"]


@pytest.mark.parametrize("measure", ["cosine", "top1"])
def test_lenet_needs_nothing_left_out_to_keep_its_classes(searched: Search, golden: Path, measure: str) -> None:
    table = read_table(golden / "lenet" / "entropy2-bs50.table")
    data = {"data": np.load(LENET / "data.npy")}
    result = searched(LENET / "lenet.onnx", table, data, allowed=0.01, measure=measure)
    assert found(result.result) == []
    assert result.result["search"]["before"]["samples"] == 256
    assert result.result["search"]["before"]["loss"] < 0.01


def test_lenet_with_a_range_that_is_far_too_small(searched: Search, golden: Path) -> None:
    table = read_table(golden / "lenet" / "entropy2-bs50.table")
    lenet = onnx.load(LENET / "lenet.onnx")
    victim = next(item for item in lenet.graph.node if item.op_type == "Gemm")
    clipped = {**table, victim.input[0]: "37000000"}
    data = {"data": np.load(LENET / "data.npy")}
    result = searched(LENET / "lenet.onnx", clipped, data, allowed=0.01, measure="top1")
    assert found(result.result) == [label(victim)]
    assert result.result["search"]["before"]["loss"] > 0.5


@pytest.mark.skipif("TRTFARM_MINILM" not in os.environ, reason="MiniLM takes a minute: set TRTFARM_MINILM to its file")
def test_minilm_is_near_to_fp32_with_a_few_nodes_left_out(searched: Search) -> None:
    model = Path(os.environ["TRTFARM_MINILM"])
    data = {name: np.load(MINILM / f"{name}.npy") for name in ("input_ids", "attention_mask")}
    test = {name: np.load(MINILM / "test" / f"{name}.npy") for name in data}
    table = minmax_table(onnx.load(model), data)
    result = searched(model, table, data, allowed=0.01)
    assert cosine(run(model, test)["embedding"], run(result.path, test)["embedding"]) >= 0.99
    assert len(found(result.result)) <= 4
    assert len(result.result["quantized"]) >= 44
