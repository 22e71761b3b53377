"""Real engines from a real TensorRT-RTX, without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.builder.conftest import generous
from tests.acceptance.builder.models import quantized_convolution, quantized_model, unparsable_model
from trtfarm.errors import BuilderCancelledError, ModelError, ToolchainError, UsageError
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain

_PROFILE = {"x": {"min": [1, 3, 16, 16], "opt": [4, 3, 16, 16], "max": [8, 3, 16, 16]}}


def _build(
    toolchain: Toolchain,
    model: Path,
    scratch: Path,
    *,
    on_event: Listener = lambda _event: None,
    should_stop: CancelToken | None = None,
    **changes: Any,
) -> BuilderAnswer:
    args = {"model": str(model), "compute_capability": "sm_86", "precision": "int8", "profiles": _PROFILE, **changes}
    request = BuilderRequest(toolchain=toolchain, step="rtx-build", args=args, limits=generous(), scratch=scratch)
    return run_builder(request, on_event=on_event, should_stop=should_stop)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return quantized_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("target", ["sm_80", "sm_86", "sm_89", "sm_120", "sm_121"])
def test_an_int8_engine_for_each_target(rtx_toolchain: Toolchain, model: Path, tmp_path: Path, target: str) -> None:
    answer = _build(rtx_toolchain, model, tmp_path / "scratch", compute_capability=target)
    assert answer.file("engine").stat().st_size == answer.result["size"]
    assert answer.result["tensorrt"] == rtx_toolchain.version
    assert answer.result["io"] == [
        {"name": "x", "mode": "input", "dtype": "float32", "shape": [-1, 3, 16, 16]},
        {"name": "prob", "mode": "output", "dtype": "float32", "shape": [-1, 10]},
    ]
    in_int8 = {node for layer in answer.result["layers"] if layer["dtype"] == "int8" for node in layer["onnx_nodes"]}
    assert {"Conv:c1", "MaxPool:p1", "Conv:c2", "MatMul:y"} <= in_int8
    assert "Softmax:prob" not in in_int8
    assert answer.result["int8_layers"] == sum(layer["dtype"] == "int8" for layer in answer.result["layers"])
    assert "Layers:" in answer.file("log").read_text()


@pytest.mark.parametrize("target", ["sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121"])
def test_int8_beside_float16_for_each_target(
    rtx_toolchain: Toolchain, model: Path, tmp_path: Path, target: str
) -> None:
    """The same layers in INT8 as beside FP32; on sm_75, where that does not compile, at least the matrix product."""
    converted = _converted(model, tmp_path / "converted")
    answer = _build(rtx_toolchain, converted, tmp_path / "s", compute_capability=target, precision="int8+fp16")
    assert {tensor["dtype"] for tensor in answer.result["io"]} == {"float32"}
    layers = answer.result["layers"]
    in_int8 = {node for layer in layers if layer["dtype"] == "int8" for node in layer["onnx_nodes"]}
    convolutions = set() if target == "sm_75" else {"Conv:c1", "Conv:c2"}
    assert {"MaxPool:p1", "MatMul:y", *convolutions} <= in_int8
    assert any(layer["dtype"] == "float16" for layer in layers)


def test_float16_without_int8(rtx_toolchain: Toolchain, golden: Path, tmp_path: Path) -> None:
    converted = _converted(golden / "lenet" / "model.onnx", tmp_path / "converted")
    profile = {"data": {"min": [1, 1, 28, 28], "opt": [8, 1, 28, 28], "max": [8, 1, 28, 28]}}
    asked: dict[str, Any] = {"compute_capability": "sm_75", "profiles": profile}
    answer = _build(rtx_toolchain, converted, tmp_path / "s", precision="fp16", **asked)
    assert [layer["dtype"] for layer in answer.result["layers"]].count("float16") > 5
    with pytest.raises(ModelError, match="would build it in fp16, not in fp32"):
        _build(rtx_toolchain, converted, tmp_path / "t", precision="fp32", **asked)


def _converted(model: Path, scratch: Path) -> Path:
    request = BuilderRequest(
        toolchain=reference_toolchain(),
        step="convert",
        args={"model": str(model)},
        limits=generous(),
        scratch=scratch,
    )
    return run_builder(request, on_event=lambda _event: None).file("model")


def test_an_engine_without_int8_layers_is_told(rtx_toolchain: Toolchain, tmp_path: Path) -> None:
    """On sm_75 TensorRT-RTX 1.7 dequantises before it convolves."""
    model, told = quantized_convolution(tmp_path / "model.onnx"), list[Progress | LogLine]()
    answer = _build(rtx_toolchain, model, tmp_path / "scratch", compute_capability="sm_75", on_event=told.append)
    assert answer.result["int8_layers"] == 0
    assert LogLine(level="warning", text="no layer of this engine computes in INT8 on sm_75") in told


def test_what_the_compiler_refuses_is_told_in_its_words(rtx_toolchain: Toolchain, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"cannot compile") as caught:
        _build(rtx_toolchain, model, tmp_path / "scratch", compute_capability="sm_75")
    assert "'MatMul:y' for Turing" in str(caught.value.cause)
    assert not caught.value.retryable


@pytest.mark.parametrize(("name", "input_name", "shape"), [("lenet", "data", [1, 28, 28]), ("zoo", "x", [3, 32, 32])])
def test_fp32_engines_of_real_models(
    *, rtx_toolchain: Toolchain, golden: Path, tmp_path: Path, name: str, input_name: str, shape: list[int]
) -> None:
    told: list[Progress | LogLine] = []
    profile = {"min": [1, *shape], "opt": [32, *shape], "max": [64, *shape]}
    answer = _build(
        rtx_toolchain,
        golden / name / "model.onnx",
        tmp_path / "scratch",
        on_event=told.append,
        precision="fp32",
        profiles={input_name: profile},
        workspace_bytes=1 << 28,
        builder_optimization_level=2,
        flags=["STRICT_NANS"],
    )
    assert answer.result["int8_layers"] == 0
    assert {layer["dtype"] for layer in answer.result["layers"]} <= {"float32", "int32", "int64", "bool", None}
    assert any(isinstance(event, Progress) for event in told)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"compute_capability": "sm_90"}, ToolchainError, r"cannot build for sm_90[^$]*sm_89"),
        ({"precision": "fp32"}, ModelError, "has Q/DQ nodes"),
        ({"precision": "int8+fp16"}, ModelError, "has Q/DQ nodes and no float16"),
        ({"precision": "fp4"}, UsageError, "no 'fp4'"),
        ({"profiles": {}}, UsageError, "input 'x' of shape -1x3x16x16 needs a profile"),
        ({"profiles": {**_PROFILE, "y": _PROFILE["x"]}}, UsageError, "no input 'y'"),
        ({"flags": ["INT8"]}, UsageError, "no builder flag 'INT8'"),
        ({"builder_optimization_level": 99}, UsageError, "cannot be 99"),
        ({"dla_core": 0}, UsageError, "no builder option 'dla_core'"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(
    *,
    rtx_toolchain: Toolchain,
    model: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words) as caught:
        _build(rtx_toolchain, model, tmp_path / "scratch", **changes)
    assert type(caught.value) is error
    assert not (tmp_path / "scratch" / "engine.plan").exists()


def test_int8_needs_a_quantised_model(rtx_toolchain: Toolchain, golden: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has neither Q/DQ nodes nor float16"):
        _build(rtx_toolchain, golden / "lenet" / "model.onnx", tmp_path / "scratch")


def test_a_node_that_cannot_be_parsed_is_named(rtx_toolchain: Toolchain, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot parse") as caught:
        _build(rtx_toolchain, unparsable_model(tmp_path / "model.onnx"), tmp_path / "scratch")
    assert "node 'StringNormalizer:prob' (StringNormalizer): unsupported node" in str(caught.value.cause)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_a_file_that_is_no_model_is_a_bad_model(rtx_toolchain: Toolchain, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        _build(rtx_toolchain, tmp_path / "model.onnx", tmp_path / "scratch")


def test_a_null_plan_comes_with_tensorrts_own_words(old_rtx_toolchain: Toolchain, model: Path, tmp_path: Path) -> None:
    told: list[Progress | LogLine] = []
    with pytest.raises(ToolchainError, match="cannot compile") as caught:
        _build(old_rtx_toolchain, model, tmp_path / "scratch", on_event=told.append)
    assert "Myelin" in str(caught.value.cause)
    assert any(isinstance(event, LogLine) and event.level == "error" for event in told)


def test_a_build_can_be_cancelled(rtx_toolchain: Toolchain, model: Path, tmp_path: Path) -> None:
    token = CancelToken()
    with pytest.raises(BuilderCancelledError):
        _build(rtx_toolchain, model, tmp_path / "scratch", on_event=lambda _event: token.cancel(), should_stop=token)
