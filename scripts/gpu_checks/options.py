"""Builder options by name: that each is heeded, or refused with what has it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from scripts.gpu_checks.builds import (
    MINMAX,
    WEIGHTED,
    build_args,
    built,
    facts_of,
    layer_types,
    native_table,
    refusal,
    timed,
)
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host
from trtfarm.errors import TrtfarmError
from trtfarm_worker.builder.request import BuilderAnswer

_CONVOLUTION = "/c2/Conv"


@check(
    "Builder options by name: those of this version work, others are refused with the release that has them",
    seconds=100,
)
def builder_options(host: Host) -> Numbers:
    working: dict[str, Arguments] = {
        "workspace": {"workspace_bytes": 256 << 20},
        "iterations": {"avg_timing_iterations": 2},
        "least iterations": {"min_timing_iterations": 2} if host.toolchain.version.startswith("8.") else {},
        "sparse": {"sparse_weights": True},
        "refit": {"refit": True},
        "no TF32": {"clear_flags": ["TF32"]},
        "kernels of cuBLASLt": {"tactic_sources": ["CUBLAS_LT"]},
        "a layer in FP32": {"precision_constraints": "obey", "layer_precisions": {_CONVOLUTION: "fp32"}},
        "layers in INT8": {"precision_constraints": "prefer", "layer_precisions": dict.fromkeys(WEIGHTED, "int8")},
        "INT8 input": {"io_formats": {"data": {"dtype": "int8", "formats": ["LINEAR"]}}},
        "INT8 input in fours": {"io_formats": {"data": {"dtype": "int8", "formats": ["CHW4"]}}},
        "ranges by hand": {"dynamic_ranges": {"data": 2.0}},
    }
    table = native_table(host, "lenet", MINMAX)
    numbers: Numbers = {}
    answers: dict[str, BuilderAnswer] = {}
    for name, options in working.items():
        try:
            answers[name] = host.step(
                "trt-build", build_args(host, "lenet", "int8", table=table, **options, **timed(host, "lenet"))
            )
        except TrtfarmError as error:
            numbers[name] = f"{error.code}: {error}"
        else:
            numbers[name] = facts_of(answers[name])
    failed = [name for name in working if name not in answers]
    expect(not failed, f"refused: {', '.join(failed)}", numbers)
    _expect_heeded(answers, built(host, "lenet", "int8", table=table, **timed(host, "lenet")), numbers)
    numbers["refused"] = _refusals(host, table)
    return numbers


def _expect_heeded(answers: Mapping[str, BuilderAnswer], free: BuilderAnswer, numbers: Numbers) -> None:
    """Of the options whose effect can be seen in the answer; `free` was built with none of them."""
    types = {name: layer_types(answer.result) for name, answer in answers.items()}
    for name in ("a layer in FP32", "layers in INT8"):
        numbers[name]["layer_types"] = types[name]
    held = [text for text in types["a layer in FP32"] if _CONVOLUTION in text]
    expect(any("float32" in text for text in held), f"{_CONVOLUTION} does not compute in FP32", numbers)
    numbers["layers in INT8"]["without preference"] = free.result["int8_layers"]
    preferred = answers["layers in INT8"].result["int8_layers"]
    expect(preferred >= free.result["int8_layers"], "fewer layers in INT8 than without preference", numbers)
    sources = answers["kernels of cuBLASLt"].result["tactic_sources"]
    expect(sources == ["CUBLAS_LT"], f"kernels were taken from {sources}", numbers)
    given = (answers["ranges by hand"].scratch / "calibration.table").read_text()
    expect("\ndata: 3c810204\n" in given, "the range by hand did not win over the table's", numbers)
    inputs = {port["name"]: port["dtype"] for port in answers["INT8 input"].result["io"] if port["mode"] == "input"}
    expect(inputs == {"data": "int8"}, f"the engine takes {inputs}", numbers)


def _refusals(host: Host, table: str) -> Numbers:
    """What TensorRT 8.5 on a data centre's GPU does not have."""
    lacking: dict[str, Arguments] = {
        "unknown": {"no_such_option": 1},
        "dla_core": {"dla_core": 0},
        "unknown layer": {"precision_constraints": "obey", "layer_precisions": {"no such layer": "fp32"}},
        "unheeded layer": {"layer_precisions": {_CONVOLUTION: "fp32"}},
    }
    if host.toolchain.version.startswith("8.5"):
        lacking |= {
            "builder_optimization_level": {"builder_optimization_level": 3},
            "hardware_compatibility": {"hardware_compatibility": "AMPERE_PLUS"},
            "version_compatible": {"version_compatible": True},
            "strip_plan": {"strip_plan": True},
        }
    return {
        name: refusal(partial(host.step, "trt-build", build_args(host, "lenet", "int8", table=table, **more)))
        for name, more in lacking.items()
    }


@check("LeNet with two optimization profiles in one engine", seconds=20)
def lenet_profiles(host: Host) -> Numbers:
    small = {"data": {word: [1, 1, 28, 28] for word in ("min", "opt", "max")}}
    engine = host.step("trt-build", build_args(host, "lenet", "fp16") | {"more_profiles": [small]})
    names = [layer["name"] for layer in engine.result["layers"]]
    told = host.step("trt-bench", {"engine": str(engine.file("engine")), "batch_sizes": [1, 64]}).result
    numbers = {**facts_of(engine), "names": names, "median_ms": [row["median_ms"] for row in told["results"]]}
    expect(any("[profile 1]" in name for name in names), "the engine has one profile", numbers)
    return numbers
