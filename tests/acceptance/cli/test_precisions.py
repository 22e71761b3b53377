"""FP16, alone and beside INT8: converted, verified, and built for each target that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from tests.acceptance.cli.conftest import share
from tests.acceptance.cli.program import Program
from tests.unit.onnx_models import make_model, node, weights
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.toolchain import Toolchain

TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121")


def _submit(program: Program, digits: Path, precision: str, *targets: str) -> dict[str, Any]:
    wanted = [argument for target in targets for argument in ("--target", target)]
    facts = program.json("submit", digits / "lenet.onnx", "--precision", precision, *wanted, "--max-drop", "1%")
    assert facts["state"] == "done"
    return dict(facts)


def test_int8_beside_fp16_for_every_target(builder: Program, digits: Path) -> None:
    """On sm_75 TensorRT-RTX has no matrix product in FP32, so INT8 beside FP16 is the INT8 that there is."""
    facts = _submit(builder, digits, "int8+fp16", *TARGETS)
    assert [step["name"] for step in facts["steps"]][:4] == ["calibrate", "quantize", "convert", "verify"]
    engines = {engine["compute_capability"]: engine for engine in facts["engines"]}
    assert tuple(engines) == TARGETS
    assert {engine["precision"] for engine in engines.values()} == {"int8+fp16"}
    assert all(engine["int8_layers"] >= (5 if target == "sm_75" else 7) for target, engine in engines.items())
    details = builder.json("engines", "show", engines["sm_75"]["id"])
    in_int8 = {node for layer in details["layers"] if layer["dtype"] == "int8" for node in layer["onnx_nodes"]}
    assert {"/f1/Gemm", "/f2/Gemm"} <= in_int8
    assert {layer["dtype"] for layer in details["layers"]} <= {"int8", "float16", "float32", None}
    assert {tensor["dtype"] for tensor in details["io"]} == {"float32"}
    assert _submit(builder, digits, "int8+fp16", "sm_75", "sm_86")["hit"]
    # Calibration and quantisation are those of INT8 beside FP32.
    states = {step["name"]: step["state"] for step in _submit(builder, digits, "int8", "sm_86")["steps"]}
    assert (states["calibrate"], states["quantize"], states["verify"]) == ("hit", "hit", "done")


def test_fp16_alone_needs_no_calibration_and_is_verified(builder: Program, digits: Path) -> None:
    facts = _submit(builder, digits, "fp16", "sm_75")
    assert [step["name"] for step in facts["steps"]][:2] == ["convert", "verify"]
    assert facts["precision"] == "fp16"
    assert facts["table"] is None
    (engine,) = facts["engines"]
    assert engine["int8_layers"] == 0
    assert facts["verification"]["classification"]["candidate"] == facts["verification"]["classification"]["reference"]


def test_int8_for_a_target_without_float32_products_has_float16_beside_it(builder: Program, digits: Path) -> None:
    facts = _submit(builder, digits, "int8", "sm_75", "sm_86")
    turing, ampere = facts["engines"]
    assert (turing["precision"], ampere["precision"]) == ("int8+fp16", "int8")
    assert turing["int8_layers"] >= 5
    assert [check["precision"] for check in facts["verifications"]] == ["int8", "int8+fp16"]
    for engine, check in zip((ampere, turing), facts["verifications"], strict=True):
        assert engine["metrics"].items() < check.items()
    found = builder.json("engines", "list", "--precision", "int8")
    assert {engine["id"] for engine in found} == {turing["id"], ampere["id"]}
    assert [e["id"] for e in builder.json("engines", "list", "--precision", "int8+fp16")] == [turing["id"]]
    told = builder.run("submit", digits / "lenet.onnx", "--target", "sm_75").err
    assert "sm_75: what stays beside INT8 is float16 there" in told
    assert "FP32 GEMM is not supported" in told
    assert _submit(builder, digits, "int8+fp16", "sm_75")["hit"]


def test_a_model_with_q_dq_nodes_is_built_by_them(builder: Program, digits: Path, golden: Path) -> None:
    quantized = builder.folder / "quantized.onnx"
    builder.ok("quantize", digits / "lenet.onnx", "--table", golden / "lenet" / "minmax-bs50.table", "-o", quantized)
    facts = builder.json("submit", quantized, "--target", "sm_86")
    assert [step["name"].split()[0] for step in facts["steps"]] == ["build"]
    assert [engine["int8_layers"] for engine in facts["engines"]] == [7]
    refused = builder.fails(3, "calibrate", quantized, "--data", digits / "data.npy", "-o", "again.table")
    assert "quantised already" in refused["message"]


def test_what_sm_75_lacks_is_told_before_anything_is_done(builder: Program, digits: Path) -> None:
    error = builder.fails(6, "submit", digits / "lenet.onnx", "--precision", "fp32", "--target", "sm_75")
    assert "FP32 GEMM is not supported" in error["cause"]
    assert error["remedy"] == "for sm_75 ask for --precision fp16"
    assert "models" not in builder.rows()


def test_fp32_without_matrix_products_is_built_for_sm_75(program: Program, rtx_toolchain: Toolchain) -> None:
    share(program, probed(rtx_toolchain))
    model = make_model([node("Conv", ["x", "w"], "y")], {"x": [1, 3, 8, 8]}, ["y"], {"w": weights(0, 4, 3, 3, 3)})
    onnx.save(model, str(program.folder / "model.onnx"))
    facts = program.json("submit", program.folder / "model.onnx", "--precision", "fp32", "--target", "sm_75")
    assert [engine["precision"] for engine in facts["engines"]] == ["fp32"]


def test_an_engine_has_as_many_profiles_as_shapes_were_given(builder: Program, digits: Path) -> None:
    shapes = ("--shape", "1:1:1", "--shape", "8:32:64")
    facts = builder.json("submit", digits / "lenet.onnx", "--target", "sm_86", "--precision", "fp32", *shapes)
    layers = builder.json("engines", "show", facts["engines"][0]["id"])["layers"]
    # TensorRT has a layer of its own for each profile.
    assert sum(layer["onnx_nodes"] == ["/c1/Conv"] for layer in layers) == 2
    error = builder.fails(2, "submit", digits / "lenet.onnx", "--target", "sm_86", "--shape", "1:1", "--shape", "2:2:2")
    assert "is not a shape" in error["message"]


def test_nodes_can_be_kept_in_fp32(builder: Program, digits: Path) -> None:
    command = ("submit", digits / "lenet.onnx", "--target", "sm_86", "--keep-fp32", "/c1/Conv")
    facts = builder.json(*command, "--precision", "fp16")
    details = builder.json("engines", "show", facts["engines"][0]["id"])
    assert [left["node"] for left in details["left_in_float32"]] == ["/c1/Conv"]
    assert builder.fails(2, *command, "--precision", "int8")["cause"] == "int8 has no float16"
