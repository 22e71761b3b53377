"""Timing caches, and calibration with overlapped copies."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from scripts.gpu_checks.builds import ENTROPY2, build_args, profiles
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host
from scripts.gpu_checks.models import image_model

_IMAGES, _BATCH = 768, 64
_ROUNDS = 3


def _cold_and_warm(host: Host, model: str) -> Numbers:
    """Seconds of a calibration with build from nothing, and of builds from its table and timing cache.

    Builds are compared by what TensorRT takes within one: to start CUDA and TensorRT takes seconds however much is
    known. Steps and processes are timed besides.
    """
    args = {
        "model": host.model(model),
        "inputs": host.calibration_data(model),
        "rule": ENTROPY2,
        "build": True,
        "profiles": profiles(model),
    }
    cold = host.step("trt-calibrate", args)
    table = str(cold.file("table"))
    cache = str(cold.scratch / cold.result["build"]["timing_cache"])
    table_only = host.step("trt-build", build_args(host, model, "int8", table=table))
    warm = host.step("trt-build", build_args(host, model, "int8", table=table, timing_cache=cache))
    numbers = {
        "cold_build_seconds": cold.result["build"]["build_seconds"],
        "table_build_seconds": table_only.result["build_seconds"],
        "warm_build_seconds": warm.result["build_seconds"],
        "cold_seconds": cold.result["build"]["seconds"],
        "table_seconds": table_only.result["seconds"],
        "warm_seconds": warm.result["seconds"],
        "cold_process_seconds": cold.seconds,
        "warm_process_seconds": warm.seconds,
        "timing_cache_bytes": Path(cache).stat().st_size,
        "timing_cache_used": warm.result["timing_cache_used"],
    }
    numbers["times_faster"] = numbers["cold_build_seconds"] / numbers["warm_build_seconds"]
    numbers["times_faster_as_step"] = numbers["cold_seconds"] / numbers["warm_seconds"]
    expect(warm.result["timing_cache_used"], "the timing cache was not taken", numbers)
    return {name: round(value, 3) for name, value in numbers.items()}


@check(
    "LeNet: a rebuild with table and timing cache is at least 5 times faster than calibrating and building", seconds=30
)
def lenet_timing_cache(host: Host) -> Numbers:
    numbers = _cold_and_warm(host, "lenet")
    expect(numbers["times_faster"] >= 5, f"only {numbers['times_faster']} times faster", numbers)
    return numbers


@check("CNN/attention mix: a rebuild with table and timing cache is at least 20 times faster", seconds=130)
def zoo_timing_cache(host: Host) -> Numbers:
    numbers = _cold_and_warm(host, "zoo")
    expect(numbers["times_faster"] >= 20, f"only {numbers['times_faster']} times faster", numbers)
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
