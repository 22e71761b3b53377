"""What was measured of a rewritten model, put into one number that a gate can compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trtfarm.errors import GateError

#: Samples in a batch where accuracy is measured on the CPU, unless the model's own is fixed.
BATCH_SIZE = 32
#: The measure of an output, floating-point or integer, that is 1 when nothing is lost.
_AGREEMENT = ("cosine_mean", "equal_share")


def drop(metrics: Mapping[str, Any]) -> float:
    """The share of accuracy lost to a lower precision: 0.01 is one percent.

    With labels, FP32's Top-1 less the other's (negative when that is better). Without, the largest over all outputs of
    one less the mean cosine similarity to FP32's output, or for integers less the share of equal elements. NaN where
    any output's measure is NaN, and where nothing was measured.
    """
    classification = metrics.get("classification")
    if classification:
        return float(classification["reference"]["top1"] - classification["candidate"]["top1"])
    losses = [1.0 - output[word] for output in metrics["outputs"].values() for word in _AGREEMENT if word in output]
    # max() skips a NaN that is not the first.
    return math.nan if any(map(math.isnan, losses)) else max(losses, default=math.nan)


def measure(*, labelled: bool) -> str:
    """What a search goes by, so that it searches for what `drop` then tells of data with labels or without."""
    return "top1" if labelled else "cosine"


def check_gate(metrics: Mapping[str, Any], max_drop: float, *, precision: str = "int8") -> None:
    """Raises GateError when more was lost than allowed, or when the loss is not a number."""
    word = precision.upper()
    broken = [name for name, output in metrics["outputs"].items() if output.get("broken_samples")]
    if broken:
        raise GateError(
            f"{word} gives values that are not numbers in {', '.join(broken)}",
            cause="a range that is far too small, values beyond float16's, or a model that is not finite itself",
            remedy="try --calibrator minmax (trtfarm tables show tells the ranges), or a precision without fp16",
        )
    lost = drop(metrics)
    if math.isnan(lost):
        raise GateError(
            f"what {word} loses against FP32 could not be measured",
            cause="an output is not a number, or no output of the model can be compared",
            remedy="look at the verification's metrics, or leave --max-drop out",
        )
    if lost > max_drop:
        raise GateError(
            f"{word} loses {lost:.2%} against FP32, {max_drop:.2%} was allowed",
            cause="the calibrated ranges, or float16, do not suit this model or this data",
            remedy="let --search leave sensitive nodes out of INT8, or name them with --exclude (--keep-fp32 for "
            "float16); try --calibrator auto, or more calibration data",
        )
