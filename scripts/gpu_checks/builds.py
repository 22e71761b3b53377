"""Engines in every precision, how much of them is INT8, and their accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scripts.gpu_checks.calibration import native
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host, array_spec
from trtfarm.errors import TrtfarmError
from trtfarm_worker.builder.request import BuilderAnswer

ENTROPY2: Arguments = {"calibrator": "entropy2", "batch_size": 50, "before_fusion": True}
MINMAX: Arguments = {"calibrator": "minmax", "batch_size": 50, "before_fusion": True}
_SHAPES = {"lenet": ("data", (1, 28, 28)), "zoo": ("x", (3, 32, 32))}
#: Share of samples; sampleINT8 asks for the same.
ACCURACY_LOSS = 0.01
#: The layers of LeNet that hold weights, as TensorRT names them.
WEIGHTED = ("/c1/Conv", "/c2/Conv", "/f1/Gemm", "/f2/Gemm")
_NAME = 80


def profiles(model: str) -> Arguments:
    name, rest = _SHAPES[model]
    return {name: {word: [size, *rest] for word, size in (("min", 1), ("opt", 32), ("max", 64))}}


def build_args(host: Host, model: str, precision: str, **more: Any) -> Arguments:
    return {"model": host.model(model), "precision": precision, "profiles": profiles(model), **more}


def native_table(host: Host, model: str, rule: Arguments) -> str:
    return str(native(host, model, rule).file("table"))


def built(host: Host, model: str, precision: str, **more: Any) -> BuilderAnswer:
    return host.once("trt-build", build_args(host, model, precision, **more))


def cold(host: Host, model: str) -> BuilderAnswer:
    """Calibrated by entropy2 and built in one go, with nothing known before."""
    args = {
        "model": host.model(model),
        "inputs": host.calibration_data(model),
        "rule": ENTROPY2,
        "build": True,
        "profiles": profiles(model),
    }
    return host.once("trt-calibrate", args)


def timed(host: Host, model: str) -> Arguments:
    """Builds that are given this choose among kernels by the same timings, so that what differs is the table."""
    answer = cold(host, model)
    return {"timing_cache": str(answer.scratch / answer.result["build"]["timing_cache"])}


def facts_of(answer: BuilderAnswer) -> Numbers:
    return facts(answer.result)


def facts(result: Mapping[str, Any]) -> Numbers:
    share = result["int8_time_share"]
    return {
        "seconds": round(result["seconds"], 2),
        "build_seconds": round(result["build_seconds"], 2),
        "size": result["size"],
        "layers": len(result["layers"]),
        "int8_layers": result["int8_layers"],
        "int8_share": round(result["int8_share"], 3),
        "int8_time_share": None if share is None else round(share, 3),
        "untimed_layers": sum(layer["ms"] is None for layer in result["layers"]),
        "warning": result["warning"],
    }


def lenet_accuracy(host: Host, engine: BuilderAnswer) -> Numbers:
    """Top-1 and Top-5 of an engine beside those of the FP32 engine, and the cosine of their outputs."""
    data, labels = host.lenet_test()
    reference = built(host, "lenet", "fp32").file("engine")
    answer = host.step(
        "trt-evaluate",
        {
            "candidate": str(engine.file("engine")),
            "reference": str(reference),
            "inputs": data,
            "labels": labels,
            "batch_size": 64,
        },
    ).result
    expect(answer["samples"] == 1000 and not answer["simulated"], "not all samples were run", dict(answer))
    return {**answer["classification"], "cosine_mean": answer["outputs"]["prob"]["cosine_mean"]}


def expect_accurate(name: str, accuracy: Numbers, numbers: Numbers) -> None:
    for top in ("top1", "top5"):
        loss = accuracy["reference"][top] - accuracy["candidate"][top]
        expect(loss <= ACCURACY_LOSS, f"{name} loses {loss:.3f} in {top}", numbers)


@check("LeNet in FP32, FP16, INT8 and INT8+FP16: Top-1 and Top-5 within 1 % of FP32", seconds=60)
def lenet_precisions(host: Host) -> Numbers:
    numbers: Numbers = {}
    for precision in ("fp32", "fp16", "int8", "int8+fp16"):
        more = {"table": native_table(host, "lenet", ENTROPY2)} if "int8" in precision else {}
        engine = built(host, "lenet", precision, **more)
        numbers[precision] = {**facts_of(engine), **lenet_accuracy(host, engine)}
        expect_accurate(precision, numbers[precision], numbers)
        expect(("int8" in precision) == bool(engine.result["int8_layers"]), f"{precision}: layers in INT8", numbers)
    return numbers


@check("LeNet with explicit Q/DQ from a native table: INT8 layers, accuracy", seconds=15)
def lenet_qdq(host: Host) -> Numbers:
    scales = native(host, "lenet", MINMAX).result["scales"]
    quantized = host.reference_step(
        "quantize",
        {"model": host.model("lenet"), "scales": scales, "options": {"exclude_nodes": [], "exclude_op_types": []}},
    )
    args = build_args(host, "lenet", "int8") | {"model": str(quantized.file("model"))}
    engine = host.step("trt-build", args)
    numbers = {**facts_of(engine), **lenet_accuracy(host, engine)}
    expect_accurate("Q/DQ", numbers, numbers)
    expect(engine.result["int8_layers"] > 0, "no layer computes in INT8", numbers)
    return numbers


@check("The CNN/attention mix in INT8: how much of it runs in INT8, and how far it is from FP32", seconds=30)
def zoo_int8(host: Host) -> Numbers:
    engine = cold(host, "zoo")
    reference = built(host, "zoo", "fp32", **timed(host, "zoo"))
    answer = host.step(
        "trt-evaluate",
        {
            "candidate": str(engine.scratch / engine.result["build"]["engine"]),
            "reference": str(reference.file("engine")),
            "inputs": {"x": array_spec(host.golden / "zoo" / "test.npy")},
            "batch_size": 32,
        },
    ).result
    cosines = {name: output["cosine_mean"] for name, output in answer["outputs"].items()}
    numbers = {
        **facts(engine.result["build"]),
        "cosine_mean": cosines,
        "layers_by_type": layer_types(engine.result["build"]),
        "fp32_build_seconds": reference.result["build_seconds"],
    }
    expect(numbers["int8_layers"] > 0, "no layer computes in INT8", numbers)
    expect(numbers["int8_time_share"] > 0, "no time is spent in INT8", numbers)
    expect(min(cosines.values()) > 0.95, "INT8 is far from FP32", numbers)
    return numbers


def layer_types(result: Mapping[str, Any]) -> list[str]:
    """Each layer that computes as `name: type, milliseconds`."""
    return [
        f"{layer['name'][:_NAME]}: {layer['dtype']}, {layer['ms']}" for layer in result["layers"] if not layer["idle"]
    ]


def refusal(run: Callable[[], object]) -> str:
    """The error that `run` raises, as one text; fails the check where it raises none."""
    try:
        run()
    except TrtfarmError as error:
        return f"{error.code}: {error}"
    expect(False, "it was not refused", {})  # noqa: FBT003 - an assertion
    return ""


@check("Latency by batch size with and without a CUDA graph, and the share of time in INT8", seconds=30)
def lenet_bench(host: Host) -> Numbers:
    numbers: Numbers = {}
    for precision in ("fp32", "fp16", "int8"):
        more = {"table": native_table(host, "lenet", ENTROPY2)} if precision == "int8" else {}
        engine = str(built(host, "lenet", precision, **more).file("engine"))
        for graph in (False, True):
            answer = host.step(
                "trt-bench", {"engine": engine, "batch_sizes": [1, 32, 64], "cuda_graph": graph, "layers": not graph}
            ).result
            key = f"{precision}{' graph' if graph else ''}"
            numbers[key] = {
                str(row["batch_size"]): {word: round(row[word], 4) for word in ("median_ms", "p95_ms", "throughput")}
                for row in answer["results"]
            }
            if not graph:
                numbers[key]["int8_time_share"] = round(answer["int8_time_share"], 3)
            expect(all(row["median_ms"] > 0 for row in answer["results"]), "a run took no time", numbers)
    return numbers


@check("Arrays through an engine come back whole, the last batch too", seconds=5)
def lenet_run(host: Host) -> Numbers:
    data, labels = host.lenet_test()
    answer = host.step(
        "trt-run",
        {"engine": str(built(host, "lenet", "fp32").file("engine")), "inputs": data, "batch_size": 48},
    )
    with np.load(answer.file("outputs")) as archive:
        scores = archive["prob"]
    accuracy = float((scores.argmax(axis=1) == np.load(labels["path"])).mean())
    numbers = {"shape": list(scores.shape), "accuracy": accuracy}
    expect(scores.shape[0] == 1000, "rows are missing", numbers)
    expect(abs(accuracy - 0.964) < 0.005, "the accuracy is not LeNet's", numbers)
    return numbers
