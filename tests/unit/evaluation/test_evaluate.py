"""FP32 against its quantised form: golden models, fixed batches, outputs of every kind, and data that do not fit."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from tests.unit.evaluation.conftest import Evaluate
from tests.unit.onnx_models import (
    make_model,
    minmax_table,
    node,
    read_table,
    run,
    silent_channel,
)
from trtfarm_builder.failures import BadDataError, BadModelError, BadRequestError
from trtfarm_builder.quantization import quantize


@pytest.fixture
def quantized_lenet(golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table = read_table(golden / "lenet" / "entropy2-bs50.table")
    with silent_channel() as channel:
        quantize.run({"model": str(golden / "lenet" / "model.onnx"), "scales": table, "options": {}}, channel)
    return tmp_path / "quantized.onnx"


@pytest.mark.parametrize("batch_size", [992, 250])
def test_lenet_with_labels(evaluated: Evaluate, golden: Path, quantized_lenet: Path, batch_size: int) -> None:
    test = np.load(golden / "lenet" / "test.npz")
    images, labels = test["data"][:992].astype(np.float32) / 255, test["label"][:992].astype(np.int64)
    reference = golden / "lenet" / "model.onnx"
    found = evaluated(reference, quantized_lenet, {"data": images}, labels, batch_size=batch_size)
    for who, path in (("reference", reference), ("candidate", quantized_lenet)):
        scores = run(path, {"data": images})["prob"]
        assert found["classification"][who]["top1"] == np.mean(scores.argmax(axis=1) == labels)
    assert found["classification"]["output"] == "prob"
    assert found["classification"]["reference"]["top1"] == pytest.approx(0.9637, abs=0.0005)
    assert found["classification"]["candidate"]["top1"] == pytest.approx(0.9627, abs=0.0015)
    assert found["samples"] == 992
    assert found["simulated"] is True
    assert 0.99 < found["outputs"]["prob"]["cosine_mean"] < 1
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def scaled(factor: float, batch: int | str = "N") -> onnx.ModelProto:
    """y = x * (factor, 1), which of y are positive, and the sum of x."""
    nodes = [
        node("Mul", ["x", "factor"], "y"),
        node("Greater", ["y", "zero"], "positive"),
        node("ReduceSum", ["x"], "sum"),
    ]
    constants = {"factor": np.array([factor, 1], np.float32), "zero": np.zeros((), np.float32)}
    return make_model(nodes, {"x": [batch, 2]}, ["positive", "y", "sum"], constants)


SAMPLES = np.array([[1, 1], [2, 0], [0, 3], [1, -1], [5, 5]], np.float32)


@pytest.mark.parametrize("batch", ["N", 1, 2, 3, 5, 8])
def test_the_last_samples_count_whatever_the_batch(evaluated: Evaluate, batch: int | str) -> None:
    """A fixed batch is filled up, and what fills it is not counted."""
    found = evaluated(scaled(1, batch), scaled(-1, batch), {"x": SAMPLES}, batch_size=2)
    assert found["samples"] == 5
    assert found["outputs"]["y"]["cosine_mean"] == pytest.approx((0 - 1 + 1 + 0 + 0) / 5)
    assert found["outputs"]["y"]["cosine_min"] == pytest.approx(-1)
    assert found["outputs"]["y"]["max_abs_error"] == 10
    assert found["outputs"]["positive"] == {"equal_share": 6 / 10}
    assert found["outputs"]["sum"]["max_abs_error"] == 0, "an output that samples do not count is compared as a whole"
    assert found["classification"] is None


def test_the_classifier_is_the_first_output_of_scores_or_the_named_one(evaluated: Evaluate) -> None:
    nodes = [
        node("ReduceSum", ["x", "axis"], "total", keepdims=0),
        node("Neg", ["x"], "opposite"),
        node("Reshape", ["x", "shape"], "scores"),
    ]
    constants = {"axis": np.array([1], np.int64), "shape": np.array([0, 2, 1, 1], np.int64)}
    model = make_model(nodes, {"x": ["N", 2]}, ["total", "scores", "opposite"], constants)
    labels = np.array([0, 0, 1, 0, 0])
    found = evaluated(model, model, {"x": SAMPLES}, labels)
    assert found["classification"] == {
        "output": "scores",
        "reference": {"top1": 1.0, "top5": None},
        "candidate": {"top1": 1.0, "top5": None},
    }
    named = evaluated(model, model, {"x": SAMPLES}, labels, output="opposite")
    assert named["classification"]["reference"]["top1"] == pytest.approx(2 / 5)
    with pytest.raises(BadRequestError, match="no output 'nothing'"):
        evaluated(model, model, {"x": SAMPLES}, labels, output="nothing")
    with pytest.raises(BadRequestError, match="not \\(samples, classes\\)"):
        evaluated(model, model, {"x": SAMPLES}, labels, output="total")


def test_a_candidate_that_gives_nan_is_reported(evaluated: Evaluate) -> None:
    found = evaluated(scaled(1), scaled(float("nan")), {"x": SAMPLES}, np.zeros(5, np.int64))
    assert found["outputs"]["y"]["nonfinite_candidate"] == 5
    assert found["outputs"]["y"]["broken_samples"] == 5
    assert found["outputs"]["y"]["cosine_mean"] == 0
    assert found["classification"]["candidate"]["top1"] == 0
    assert found["classification"]["reference"]["top1"] > 0
    json.dumps(found, allow_nan=False)


def test_memory_does_not_grow_with_the_number_of_samples(evaluated: Evaluate) -> None:
    peaks = []
    for count in (1_000, 40_000):
        samples = np.zeros((count, 2), np.float32)
        tracemalloc.start()
        evaluated(scaled(1), scaled(2), {"x": samples}, batch_size=500)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 40_000


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ({"z": SAMPLES}, None, "the data are for inputs"),
        ({"x": SAMPLES.astype(np.float64)}, None, "takes float32"),
        ({"x": SAMPLES[:, :1]}, None, "takes shape"),
        ({"x": SAMPLES[:0]}, None, "no samples"),
        ({"x": SAMPLES}, np.zeros(4, np.int64), "the labels are"),
        ({"x": SAMPLES}, np.zeros(5, np.float32), "the labels are float32"),
        ({"x": SAMPLES}, np.full(5, 2), "knows 2 classes"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    evaluated: Evaluate, inputs: dict[str, NDArray[Any]], labels: NDArray[Any] | None, message: str
) -> None:
    with pytest.raises(BadDataError, match=message):
        evaluated(scaled(1), scaled(2), inputs, labels)


def test_labels_without_a_classifier_are_refused(evaluated: Evaluate) -> None:
    model = make_model([node("ReduceSum", ["x"], "y", keepdims=0)], {"x": ["N", 2]}, ["y"])
    with pytest.raises(BadDataError, match="no output of the model is"):
        evaluated(model, model, {"x": SAMPLES}, np.zeros(5, np.int64))


def test_models_that_differ_are_not_compared(evaluated: Evaluate) -> None:
    other = make_model([node("Neg", ["x"], "z")], {"x": ["N", 2]}, ["z"])
    with pytest.raises(BadModelError, match="differ in their inputs or outputs"):
        evaluated(scaled(1), other, {"x": SAMPLES})


def test_outputs_that_cannot_be_compared_are_named(evaluated: Evaluate) -> None:
    nodes = [node("Neg", ["x"], "y"), node("SequenceConstruct", ["x"], "s")]
    model = make_model(nodes, {"x": ["N", 2]}, ["y"])
    sequence = helper.make_tensor_sequence_value_info("s", onnx.TensorProto.FLOAT, None)
    model.graph.output.append(sequence)
    found = evaluated(model, model, {"x": SAMPLES})
    assert found["skipped_outputs"] == ["s"]
    assert list(found["outputs"]) == ["y"]


def test_sums_beyond_16_bits_stay_exact(evaluated: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fused integer kernels that ONNX Runtime could use saturate on processors without VNNI."""
    monkeypatch.chdir(tmp_path)
    ones = np.ones((256, 4), np.float32)
    nodes = [node("MatMul", ["x", "w"], "a"), node("MatMul", ["a", "v"], "y")]
    model = make_model(nodes, {"x": ["N", 256]}, ["y"], {"w": ones, "v": ones[:4]})
    feeds = {"x": np.ones((3, 256), np.float32)}
    onnx.save(model, tmp_path / "model.onnx")
    args = {"model": str(tmp_path / "model.onnx"), "scales": minmax_table(model, feeds), "options": {}}
    with silent_channel() as channel:
        quantize.run(args, channel)
    found = evaluated(tmp_path / "model.onnx", tmp_path / "quantized.onnx", feeds)
    assert found["outputs"]["y"]["max_abs_error"] < 1e-3
