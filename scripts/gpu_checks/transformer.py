"""MiniLM, a sentence encoder: native and reference tables, and INT8 against FP16 in accuracy and latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.gpu_checks.check import Numbers, SkippedError, check, expect
from scripts.gpu_checks.host import Arguments, Host, array_spec
from scripts.gpu_checks.tables import differences
from trtfarm_worker.builder.request import BuilderAnswer

_SEQUENCE = 64
_INPUTS = ("input_ids", "attention_mask")
_SHOWN, _NAME = 8, 60
#: Of the mean cosine, on calibration data and on the engine.
_ALLOWED = 0.01
_BATCHES = (("min", 1), ("opt", 32), ("max", 64))


def _model(host: Host) -> str:
    if host.minilm is None or host.minilm_data is None:
        raise SkippedError("no MiniLM was given")
    return str(host.minilm)


def _data(host: Host, part: str = "") -> Arguments:
    if host.minilm_data is None:
        raise SkippedError("no MiniLM was given")
    return {name: array_spec(host.minilm_data / part / f"{name}.npy") for name in _INPUTS}


def _rule(calibrator: str) -> Arguments:
    return {"calibrator": calibrator, "batch_size": 20, "before_fusion": True}


def _calibrate_args(host: Host, calibrator: str) -> Arguments:
    return {"model": _model(host), "inputs": _data(host), "rule": _rule(calibrator)}


def _build_args(host: Host, precision: str, **more: Any) -> Arguments:
    shapes = {name: {word: [size, _SEQUENCE] for word, size in _BATCHES} for name in _INPUTS}
    return {"model": _model(host), "precision": precision, "profiles": shapes, **more}


def _compared(host: Host, calibrator: str) -> Numbers:
    own = host.reference_step("calibrate", _calibrate_args(host, calibrator))
    native = host.once("trt-calibrate", _calibrate_args(host, calibrator))
    found = differences(own.result["scales"], native.result["scales"])
    return {
        **{name: value for name, value in found.items() if name not in ("only_ours", "only_theirs", "apart")},
        "apart": {tensor: round(found["apart"][tensor], 6) for tensor in _worst(found["apart"])},
        "apart_by_5_percent": {tensor: value for tensor, value in found["apart"].items() if value > 0.05},
        "only_reference": len(found["only_ours"]),
        "only_native": len(found["only_theirs"]),
        "reference_seconds": round(own.seconds, 1),
        "native_seconds": round(native.result["seconds"], 1),
        "native_calibration_seconds": round(native.result["calibration_seconds"], 2),
    }


def _worst(apart: Mapping[str, float]) -> list[str]:
    return sorted(apart, key=lambda tensor: apart[tensor], reverse=True)[:_SHOWN]


@check("MiniLM: MinMax of the reference is TensorRT's to 1e-5", seconds=60)
def minilm_minmax(host: Host) -> Numbers:
    numbers = _compared(host, "minmax")
    expect(numbers["largest_relative"] <= 1e-5, f"off by {numbers['largest_relative']:.2g}", numbers)
    return numbers


@check("MiniLM: Entropy2 of the reference is near TensorRT's", seconds=80)
def minilm_entropy2(host: Host) -> Numbers:
    numbers = _compared(host, "entropy2")
    near = numbers["common"] - len(numbers["apart_by_5_percent"])
    expect(near >= 0.9 * numbers["common"], f"only {near} of {numbers['common']} near", numbers)
    return numbers


@check("MiniLM in FP32, FP16, implicit INT8 and Q/DQ INT8: cosine to FP32, latency, share in INT8", seconds=900)
def minilm_engines(host: Host) -> Numbers:
    reference = host.once("trt-build", _build_args(host, "fp32"))
    # What one build has timed, the next ones need not.
    known = {"timing_cache": str(reference.file("timing_cache"))}
    table = host.once("trt-calibrate", _calibrate_args(host, "minmax"))
    quantized = host.reference_step(
        "quantize",
        {
            "model": _model(host),
            "scales": table.result["scales"],
            "options": {"exclude_nodes": [], "exclude_op_types": []},
        },
    )
    explicit = {"model": str(quantized.file("model"))}
    asked = {
        "fp32": _build_args(host, "fp32"),
        "fp16": _build_args(host, "fp16", **known),
        "implicit int8": _build_args(host, "int8", table=str(table.file("table")), **known),
        "Q/DQ int8": _build_args(host, "int8", **known) | explicit,
        "Q/DQ int8+fp16": _build_args(host, "int8+fp16", **known) | explicit,
    }
    numbers: Numbers = {}
    for name, args in asked.items():
        numbers[name] = _measured(host, host.once("trt-build", args), {"reference": str(reference.file("engine"))})
    expect(numbers["fp16"]["cosine_mean"] > 0.999, "FP16 is far from FP32", numbers)
    _expect_told(numbers["Q/DQ int8"], numbers)
    return numbers


@check(
    "MiniLM in Q/DQ INT8 by minmax but for the nodes that a search found: cosine to FP32 of 0.99, latency against FP16",
    seconds=400,
)
def minilm_searched(host: Host) -> Numbers:
    return _beside_fp16(host, "minmax")


@check("The same by mse", seconds=420)
def minilm_searched_mse(host: Host) -> Numbers:
    return _beside_fp16(host, "mse")


def _beside_fp16(host: Host, calibrator: str) -> Numbers:
    """Both engines against FP32 in ONNX Runtime: no FP32 engine has to be built."""
    found = _searched(host, calibrator)
    fp16 = host.once("trt-build", _build_args(host, "fp16"))
    # What one build has timed, the next one need not.
    known = {"timing_cache": str(fp16.file("timing_cache"))}
    quantized = _build_args(host, "int8+fp16", **known) | {"model": str(found.file("model"))}
    engines = {"fp16": fp16, "searched": host.once("trt-build", quantized)}
    numbers: Numbers = {name: _measured(host, engine, _recorded(host)) for name, engine in engines.items()}
    search = found.result["search"]
    numbers["searched"] |= {
        "left": [item["node"] for item in search["found"]],
        "simulated_loss": search["after"]["loss"],
        "search_seconds": round(found.seconds, 1),
    }
    expect(numbers["searched"]["cosine_mean"] >= 1 - _ALLOWED, "the cosine is less than 0.99", numbers)
    _expect_told(numbers["searched"], numbers)
    return numbers


def _expect_told(measured: Numbers, numbers: Numbers) -> None:
    """A transformer can become one layer of which TensorRT does not tell the types; the build has to say so then."""
    told = measured["int8_layers"] or measured["warning"]
    expect(bool(told), "nothing is INT8, and nothing is said of it", numbers)


def _recorded(host: Host) -> Arguments:
    """What ONNX Runtime computes in FP32 of the held-out sentences, for `trt-evaluate`."""
    answer = host.reference_step("record", {"model": _model(host), "inputs": _data(host, "test"), "batch_size": 32})
    outputs = answer.result["outputs"].items()
    return {"reference_outputs": {name: array_spec(answer.scratch / facts["file"]) for name, facts in outputs}}


def _searched(host: Host, calibrator: str) -> BuilderAnswer:
    """MiniLM quantised by a table of the reference, but for the nodes that cost too much of the calibration data."""
    table = host.reference_step("calibrate", _calibrate_args(host, calibrator))
    args = {
        "model": _model(host),
        "scales": table.result["scales"],
        "options": {},
        "inputs": _data(host),
        "batch_size": 32,
        # The engine's float16 costs something too, which the search does not see.
        "allowed": 0.8 * _ALLOWED,
        "measure": "cosine",
    }
    return host.reference_step("search", args)


def _measured(host: Host, engine: BuilderAnswer, reference: Arguments) -> Numbers:
    """`reference` is what `trt-evaluate` takes as such."""
    path = str(engine.file("engine"))
    args = {"candidate": path, "inputs": _data(host, "test"), "batch_size": 32, **reference}
    (output,) = host.step("trt-evaluate", args).result["outputs"].values()
    bench = host.step(
        "trt-bench", {"engine": path, "batch_sizes": [1, 32, 64], "inputs": _data(host), "layers": True}
    ).result
    return {
        "cosine_mean": output["cosine_mean"],
        "cosine_min": output["cosine_min"],
        "median_ms": {str(row["batch_size"]): round(row["median_ms"], 4) for row in bench["results"]},
        "size": engine.result["size"],
        "build_seconds": round(engine.result["build_seconds"], 1),
        "layers": len(engine.result["layers"]),
        "int8_layers": engine.result["int8_layers"],
        "int8_time_share": round(bench["int8_time_share"], 3),
        "warning": engine.result["warning"],
        "slowest_layers": _slowest(bench["layers"]),
    }


def _slowest(rows: list[dict[str, Any]]) -> list[str]:
    ranked = sorted(rows, key=lambda row: row["ms"], reverse=True)[:_SHOWN]
    return [f"{row['name'][:_NAME]}: {row['dtype']}, {row['ms']:.4f} ms" for row in ranked]
