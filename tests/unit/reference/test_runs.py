"""How batches are run: in pieces or whole, all tensors at once or some at a time, always with the same scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.unit.onnx_models import make_model, node, weights
from tests.unit.reference.runs import golden_request, request, run_calibrate, scale_of
from trtfarm_builder.reference import plan as plan_module
from trtfarm_builder.reference.network import load_network
from trtfarm_builder.reference.plan import GROUP_BYTES, RUN_BYTES, Plan, plan_runs
from trtfarm_builder.reference.probe import Profile, profile_of
from trtfarm_builder.reference.samples import open_samples


def profile(folder: Path, model: onnx.ModelProto, batch_size: int, samples: np.ndarray) -> Profile:
    args = request(folder, model, {"x": samples}, "minmax", batch_size)
    network = load_network(folder / "model.onnx")
    observed = [name for name in network.tensors if name != "x"]
    return profile_of(network, observed, open_samples(network.inputs, args["inputs"]), batch_size)


def test_a_model_of_independent_samples_is_separable(tmp_path: Path) -> None:
    model = make_model(
        [node("MatMul", ["x", "w"], "h"), node("Identity", ["w"], "constant"), node("Softmax", ["h"], "y", axis=1)],
        {"x": ["N", 8]},
        ["y", "constant"],
        {"w": weights(1, 8, 5)},
    )
    found = profile(tmp_path, model, 4, weights(2, 4, 8))
    assert found == Profile(nbytes={"h": 20, "constant": 160, "y": 20}, samples=1, separable=True)


@pytest.mark.parametrize(
    "mixing",
    [
        node("Softmax", ["x"], "y", axis=0),
        node("ReduceMean", ["x"], "y", axes=[0]),
        node("ReduceMax", ["x"], "y", keepdims=0),
        node("Div", ["x", "largest"], "y"),
    ],
    ids=["softmax", "mean", "max", "normalised"],
)
def test_a_model_that_mixes_samples_is_run_on_whole_batches(tmp_path: Path, mixing: onnx.NodeProto) -> None:
    model = make_model([node("ReduceMax", ["x"], "largest", keepdims=0), mixing], {"x": ["N", 8]}, ["y"])
    found = profile(tmp_path, model, 4, weights(2, 4, 8))
    assert not found.separable
    assert plan_runs(found, 4).samples_per_run == 4


def test_a_model_that_takes_no_single_samples_is_run_on_whole_batches(tmp_path: Path) -> None:
    model = make_model([node("Reshape", ["x", "shape"], "y")], {"x": ["N", 6]}, ["y"], {"shape": np.array([4, 3, 2])})
    found = profile(tmp_path, model, 4, weights(2, 4, 6))
    assert found == Profile(nbytes={"y": 96}, samples=4, separable=False)


def test_a_fixed_batch_is_run_whole(tmp_path: Path) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": [4, 6]}, ["y"])
    assert profile(tmp_path, model, 4, weights(2, 8, 6)) == Profile(nbytes={"y": 96}, samples=4, separable=False)


def test_pieces_hold_about_as_many_bytes_as_aimed_at() -> None:
    plan = plan_runs(Profile(nbytes={"a": RUN_BYTES // 8, "b": RUN_BYTES // 8}, samples=1, separable=True), 10)
    assert plan == Plan(batch_size=10, samples_per_run=4, groups=(("a", "b"),))
    assert plan.pieces(20) == [(20, 24), (24, 28), (28, 30)]


def test_samples_too_large_for_one_run_are_run_for_some_tensors_at_a_time() -> None:
    nbytes = {"a": GROUP_BYTES // 2, "b": GROUP_BYTES // 2, "c": 2 * GROUP_BYTES, "d": 1}
    plan = plan_runs(Profile(nbytes=nbytes, samples=1, separable=True), 10)
    assert plan == Plan(batch_size=10, samples_per_run=1, groups=(("a", "b"), ("c",), ("d",)))


@pytest.mark.parametrize(("run_bytes", "group_bytes"), [(1, 1 << 40), (1 << 40, 1 << 40), (1 << 18, 1 << 18)])
@pytest.mark.parametrize("calibrator", ["minmax", "entropy2"])
def test_scales_do_not_depend_on_how_batches_are_run(
    golden: Path, monkeypatch: pytest.MonkeyPatch, calibrator: str, run_bytes: int, group_bytes: int
) -> None:
    args = golden_request(golden, "lenet", calibrator, 50)
    want = run_calibrate(args)["scales"]
    monkeypatch.setattr(plan_module, "RUN_BYTES", run_bytes)
    monkeypatch.setattr(plan_module, "GROUP_BYTES", group_bytes)
    have = run_calibrate(args)["scales"]
    assert list(have) == list(want)
    # A matrix product rounds by the number of its rows, so the last bits of an activation may differ.
    assert [scale_of(digits) for digits in have.values()] == pytest.approx(
        [scale_of(digits) for digits in want.values()], rel=1e-6
    )


def test_weights_outside_the_model_file_are_found(tmp_path: Path) -> None:
    model = make_model([node("MatMul", ["x", "w"], "y")], {"x": ["N", 64]}, ["y"])
    del model.graph.initializer[:]
    model.graph.initializer.append(numpy_helper.from_array(np.eye(64, dtype=np.float32) * 254, "w"))
    args = request(tmp_path, model, {"x": np.ones((2, 64), np.float32)}, "minmax", 2)
    onnx.save_model(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    assert scale_of(run_calibrate(args)["scales"]["y"]) == 2.0


def test_models_of_several_inputs_and_types(tmp_path: Path) -> None:
    model = make_model(
        [
            node("Gather", ["table", "ids"], "rows"),
            node("Cast", ["big"], "small", to=onnx.TensorProto.FLOAT),
            node("Add", ["rows", "small"], "y"),
        ],
        {},
        [],
        {"table": np.array([[1.0], [-127.0]], np.float32)},
    )
    model.graph.input.append(helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["N"]))
    model.graph.input.append(helper.make_tensor_value_info("big", onnx.TensorProto.DOUBLE, ["N", 1]))
    model.graph.output.append(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 1]))
    arrays = {"ids": np.array([0, 1]), "big": np.array([[254.0], [0.0]])}
    scales = run_calibrate(request(tmp_path, model, arrays, "minmax", 1))["scales"]
    assert {name: scale_of(digits) for name, digits in scales.items()} == pytest.approx(
        {"big": 2.0, "rows": 1.0, "small": 2.0, "y": 255 / 127}
    )
