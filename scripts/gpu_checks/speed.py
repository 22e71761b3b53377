"""Timing caches, and calibration with overlapped copies."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.gpu_checks.builds import build_args, cold, refusal, timed
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host, environment_variable, perf_seconds
from scripts.gpu_checks.models import image_model
from trtfarm.errors import TrtfarmError

_IMAGES, _BATCH = 768, 64
_ROUNDS = 3
_CACHE = "timing.cache"


def _cold_and_warm(host: Host, model: str) -> Numbers:
    """Seconds of a calibration with build from nothing, and of a build from its table and timing cache.

    Builds are compared by what TensorRT takes within one: to start CUDA and TensorRT takes seconds however much is
    known. Steps and processes are timed besides.
    """
    first = cold(host, model)
    known = timed(host, model)
    warm = host.step("trt-build", build_args(host, model, "int8", table=str(first.file("table")), **known))
    of_cold = first.result["build"]
    numbers = {
        "cold_build_seconds": of_cold["build_seconds"],
        "calibration_seconds": first.result["calibration_seconds"],
        "warm_build_seconds": warm.result["build_seconds"],
        "cold_seconds": of_cold["seconds"],
        "warm_seconds": warm.result["seconds"],
        "cold_process_seconds": first.seconds,
        "warm_process_seconds": warm.seconds,
        "timing_cache_bytes": Path(known["timing_cache"]).stat().st_size,
        "times_faster": of_cold["build_seconds"] / warm.result["build_seconds"],
        "times_faster_as_step": of_cold["seconds"] / warm.result["seconds"],
    }
    expect(warm.result["timing_cache_used"], "the timing cache was not taken", numbers)
    return {name: round(value, 3) for name, value in numbers.items()}


@check(
    "LeNet: a rebuild with table and timing cache is at least 5 times faster than calibrating and building", seconds=20
)
def lenet_timing_cache(host: Host) -> Numbers:
    numbers = _cold_and_warm(host, "lenet")
    expect(numbers["times_faster"] >= 5, f"only {numbers['times_faster']} times faster", numbers)
    return numbers


@check("CNN/attention mix: a rebuild with table and timing cache is at least 20 times faster", seconds=110)
def zoo_timing_cache(host: Host) -> Numbers:
    numbers = _cold_and_warm(host, "zoo")
    expect(numbers["times_faster"] >= 20, f"only {numbers['times_faster']} times faster", numbers)
    return numbers


@check("Timing caches of two builds combined serve both; what is no timing cache is refused", seconds=70)
def combined_timing_caches(host: Host) -> Numbers:
    table = str(cold(host, "lenet").file("table"))
    shapes = {"image": {word: [size, 3, 224, 224] for word, size in (("min", 1), ("opt", 8), ("max", 8))}}
    asked: dict[str, Arguments] = {
        "int8": build_args(host, "lenet", "int8", table=table),
        "fp16": build_args(host, "lenet", "fp16"),
        "images": {"model": image_model(host.scratch), "precision": "fp32", "profiles": shapes},
    }
    begun = {"int8": cold(host, "lenet").result["build"]}
    caches = {"int8": timed(host, "lenet")["timing_cache"]}
    for name in ("fp16", "images"):
        answer = host.step("trt-build", asked[name])
        begun[name], caches[name] = answer.result, str(answer.file("timing_cache"))
    numbers: Numbers = {"bytes": {name: Path(path).stat().st_size for name, path in caches.items()}}
    numbers["alone"] = {name: _taken(host, asked[name], caches[name]) for name in ("fp16", "images")}
    numbers["int8 and images"] = _attempt(host, [caches["int8"], caches["images"]])
    garbage = host.write("garbage.cache", b"no timing cache " * 64)
    numbers["garbage"] = _attempt(host, [caches["int8"], garbage])
    expect("garbage.cache" in numbers["garbage"], "the strange file is not named", numbers)
    numbers["int8 and fp16"] = _attempt(host, [caches["int8"], caches["fp16"]])
    expect(numbers["int8 and fp16"].endswith(_CACHE), "they were not combined", numbers)
    known = {"timing_cache": numbers["int8 and fp16"]}
    for name in ("int8", "fp16"):
        warm = host.step("trt-build", {**asked[name], **known}).result
        seconds = [round(result["build_seconds"], 2) for result in (begun[name], warm)]
        numbers[f"build_seconds {name}"] = seconds
        expect(warm["timing_cache_used"], f"{name}: the combined cache was not taken", numbers)
        expect(2 * seconds[1] < seconds[0], f"{name}: it saved nothing", numbers)
    return numbers


def _attempt(host: Host, caches: list[str]) -> str:
    """The combined cache's path, or the error."""
    try:
        return str(host.step("trt-combine", {"timing_caches": caches}).file("timing_cache"))
    except TrtfarmError as error:
        return f"{error.code}: {error}"


def _taken(host: Host, args: Arguments, cache: str) -> list[Any]:
    result = host.step("trt-build", {**args, "timing_cache": cache}).result
    return [result["timing_cache_used"], round(result["build_seconds"], 2)]


@check("Kernels loaded when they are needed (CUDA_MODULE_LOADING=LAZY) against all at once", seconds=45)
def lazy_loading(host: Host) -> Numbers:
    """Measures only: which of the two is the default is decided by these numbers."""
    numbers: Numbers = {}
    for mode in ("EAGER", "LAZY"):
        with environment_variable("CUDA_MODULE_LOADING", mode):
            answer = host.step("trt-build", build_args(host, "lenet", "fp16"))
            refused = perf_seconds(partial(refusal, partial(host.step, "trt-build", build_args(host, "lenet", "int8"))))
        bench = host.step(
            "trt-bench", {"engine": str(answer.file("engine")), "batch_sizes": [1, 32], "cuda_graph": True}
        )
        numbers[mode] = {
            "process_seconds": round(answer.seconds, 2),
            "build_seconds": round(answer.result["build_seconds"], 2),
            "refusal_process_seconds": round(refused, 2),
            "median_ms": [round(row["median_ms"], 4) for row in bench.result["results"]],
            "size": answer.result["size"],
        }
    return numbers


@check("Overlapped copies against plain ones: 224x224x3 float32, batches of 64", seconds=120)
def overlapped_copies(host: Host) -> Numbers:
    images = np.random.default_rng(3).random((_IMAGES, 3, 224, 224), np.float32)
    inputs = {"image": host.save("images.npy", images)}
    del images
    model = image_model(host.scratch)
    seconds: dict[str, list[float]] = {"overlapped": [], "plain": []}
    tables = set()
    for _ in range(_ROUNDS):
        for name, taken in seconds.items():
            args: Arguments = {
                "model": model,
                "inputs": inputs,
                "rule": {"calibrator": "minmax", "batch_size": _BATCH, "before_fusion": True},
                "overlap": name == "overlapped",
            }
            answer = host.step("trt-calibrate", args)
            taken.append(answer.result["calibration_seconds"])
            tables.add(answer.file("table").read_bytes())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    numbers: Numbers = {
        "seconds": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
        "plain_over_overlapped": round(medians["plain"] / medians["overlapped"], 3),
        "images_per_second": {name: round(_IMAGES / value) for name, value in medians.items()},
    }
    expect(len(tables) == 1, "the two ways gave different tables", numbers)
    expect(medians["overlapped"] <= medians["plain"], "overlapped copies are slower", numbers)
    return numbers
