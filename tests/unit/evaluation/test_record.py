"""What a model computes, recorded row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.unit.onnx_models import make_model, node, run, silent_channel, weights
from tests.unit.reference.runs import array_spec
from trtfarm_builder.evaluation import record
from trtfarm_builder.failures import BadModelError

X = weights(1, 7, 4)


def recorded(model: onnx.ModelProto, folder: Path) -> dict[str, Any]:
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "x.npy", X)
    args = {
        "model": str(folder / "model.onnx"),
        "inputs": {"x": array_spec(folder / "x.npy")},
        "batch_size": 3,
    }
    with silent_channel() as channel:
        return record.run(args, channel)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("first", ["N", 4])
def test_every_sample_has_its_row_in_one_file(scratch: Path, first: int | str) -> None:
    """Whatever is run at once, also where the model takes batches of four only."""
    model = make_model(
        [node("Relu", ["x"], "y"), node("ArgMax", ["x"], "best", axis=1)], {"x": [first, 4]}, ["y", "best"]
    )
    answer = recorded(model, scratch)
    assert (answer["samples"], answer["skipped"]) == (7, [])
    for name, wanted in {"y": np.maximum(X, 0), "best": X.argmax(axis=1)[:, None]}.items():
        facts = answer["outputs"][name]
        found = np.load(scratch / facts["file"])
        np.testing.assert_array_equal(found, wanted)
        assert (facts["dtype"], facts["shape"]) == (str(found.dtype), list(found.shape))


def test_lenet_is_recorded_as_it_runs(golden: Path, scratch: Path) -> None:
    data = np.load(golden / "lenet" / "calib.npy")[:9]
    np.save(scratch / "data.npy", data)
    model = golden / "lenet" / "model.onnx"
    with silent_channel() as channel:
        args = {"model": str(model), "inputs": {"data": array_spec(scratch / "data.npy")}, "batch_size": 4}
        facts = record.run(args, channel)["outputs"]["prob"]
    found = np.load(scratch / facts["file"])
    np.testing.assert_allclose(found, run(model, {"data": data})["prob"], atol=1e-6)


def test_outputs_without_a_row_for_each_sample_are_left_out_and_told(scratch: Path) -> None:
    nodes = [
        node("Relu", ["x"], "y"),
        node("ReduceSum", ["x"], "sum", keepdims=0),
        node("NonZero", ["y"], "places"),
    ]
    answer = recorded(make_model(nodes, {"x": ["N", 4]}, ["y", "sum", "places"]), scratch)
    assert list(answer["outputs"]) == ["y"]
    assert {row["output"]: "each sample" in row["reason"] for row in answer["skipped"]} == {"sum": True, "places": True}


def test_a_model_of_which_nothing_can_be_recorded_is_refused(scratch: Path) -> None:
    model = make_model([node("ReduceSum", ["x"], "sum", keepdims=0)], {"x": ["N", 4]}, ["sum"])
    with pytest.raises(BadModelError, match="sample by sample") as caught:
        recorded(model, scratch)
    assert "sum has no row" in str(caught.value.cause)
