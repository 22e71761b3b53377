"""Native calibration against the golden tables, and against the reference calibrator on the CPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host
from scripts.gpu_checks.models import integer_model
from scripts.gpu_checks.tables import differences, read_table
from trtfarm.errors import DataError
from trtfarm_worker.builder.request import BuilderAnswer

#: MinMax has no choice to make, so only rounding may differ.
MINMAX_TOLERANCE = 1e-5
#: Entropy takes one of 2048 bins; TF32 moves near-ties by some.
ENTROPY_TOLERANCE = 0.05
_NAME = re.compile(r"(?P<calibrator>\w+?)-bs(?P<size>\d+)(-q(?P<quantile>[\d.]+))?(?P<after>-after-fusion)?")


def rule_of(table: Path) -> Arguments:
    """The rule that a golden table's name tells."""
    match = _NAME.fullmatch(table.stem)
    if match is None:
        raise ValueError(f"{table.name} does not name its rule")
    legacy = match["calibrator"] == "legacy"
    return {
        "calibrator": match["calibrator"],
        "batch_size": int(match["size"]),
        "before_fusion": match["after"] is None,
        "quantile": float(match["quantile"] or 0.9999) if legacy else None,
        "cutoff": 1.0 if legacy else None,
    }


def native(host: Host, model: str, rule: Arguments) -> BuilderAnswer:
    return host.once(
        "trt-calibrate", {"model": host.model(model), "inputs": host.calibration_data(model), "rule": rule}
    )


def _against_golden(host: Host, model: str) -> Numbers:
    numbers: dict[str, Any] = {}
    for golden in sorted((host.golden / model).glob("*.table")):
        rule = rule_of(golden)
        answer = native(host, model, rule)
        text = answer.file("table").read_bytes()
        (header, theirs), (own_header, ours) = read_table(golden.read_bytes()), read_table(text)
        found = differences(ours, theirs)
        found.update(
            bytes_equal=text == golden.read_bytes(),
            seconds=round(answer.result["seconds"], 2),
            calibration_seconds=round(answer.result["calibration_seconds"], 3),
        )
        numbers[golden.stem] = found
        expect(header == own_header, f"{golden.stem}: header {own_header} instead of {header}", numbers)
        expect(not found["only_ours"] and not found["only_theirs"], f"{golden.stem}: other tensors", numbers)
        expect(answer.result["portable"] == rule["before_fusion"], f"{golden.stem}: portable is wrong", numbers)
        limit = MINMAX_TOLERANCE if rule["calibrator"] == "minmax" else ENTROPY_TOLERANCE
        expect(found["largest_relative"] <= limit, f"{golden.stem}: off by {found['largest_relative']:.2g}", numbers)
    return numbers


def _against_reference(host: Host, model: str) -> Numbers:
    numbers: dict[str, Any] = {}
    for golden in sorted((host.golden / model).glob("*.table")):
        rule = rule_of(golden)
        if not rule["before_fusion"]:
            continue
        args = {"model": host.model(model), "inputs": host.calibration_data(model), "rule": rule}
        own = host.reference_step("calibrate", args)
        found = differences(own.result["scales"], native(host, model, rule).result["scales"])
        found["seconds"] = round(own.seconds, 2)
        numbers[golden.stem] = found
        if rule["calibrator"] == "minmax":
            expect(
                found["largest_relative"] <= MINMAX_TOLERANCE,
                f"{golden.stem}: off by {found['largest_relative']:.2g}",
                numbers,
            )
        else:
            close = found["common"] - sum(value > ENTROPY_TOLERANCE for value in found["apart"].values())
            expect(close >= 0.9 * found["common"], f"{golden.stem}: only {close} of {found['common']} near", numbers)
    return numbers


@check("LeNet calibrated natively with every golden rule gives the golden tables", seconds=90)
def lenet_native_tables(host: Host) -> Numbers:
    return _against_golden(host, "lenet")


@check("The reference calibrator on the CPU gives TensorRT's numbers for LeNet", seconds=95)
def lenet_reference_tables(host: Host) -> Numbers:
    return _against_reference(host, "lenet")


@check("The CNN/attention mix calibrated natively gives the golden tables", seconds=160)
def zoo_native_tables(host: Host) -> Numbers:
    return _against_golden(host, "zoo")


@check("The reference calibrator on the CPU gives TensorRT's numbers for the CNN/attention mix", seconds=165)
def zoo_reference_tables(host: Host) -> Numbers:
    return _against_reference(host, "zoo")


@check("A reader that fails in the third batch fails the calibration with its own error", seconds=10)
def failing_reader(host: Host) -> Numbers:
    tokens = np.ones((64, 16), np.int64)
    tokens[40:] = 2**40
    args = {
        "model": integer_model(host.scratch),
        "inputs": {"tokens": host.save("tokens.npy", tokens)},
        "rule": {"calibrator": "minmax", "batch_size": 16, "before_fusion": True},
    }
    try:
        host.step("trt-calibrate", args)
    except DataError as error:
        return {"error": str(error)}
    expect(False, "the calibration went through", {})  # noqa: FBT003 - an assertion
    return {}
