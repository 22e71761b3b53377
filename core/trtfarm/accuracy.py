"""What was measured of a rewritten model, put into one number that a gate can compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtfarm.errors import GateError, UsageError

#: Samples in a batch where accuracy is measured on the CPU, unless the model's own is fixed.
BATCH_SIZE = 32
#: Digits of a percentage after the point, and how many there are at most where limits are tiny.
_DIGITS, _MOST_DIGITS = 2, 15
#: The measure of an output, floating-point or integer, that is 1 when nothing is lost.
_AGREEMENT = ("cosine_mean", "equal_share")


@dataclass(frozen=True, kw_only=True)
class AccuracyFilter:
    """What must have been measured; None asks for nothing. Raises UsageError for what no accuracy can be.

    `min_top1` is a share of samples, `min_cosine` is of the output that agrees least with FP32, `max_drop` the share of
    accuracy that was lost, as `drop` tells it.
    """

    min_top1: float | None = None
    min_cosine: float | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not -1 <= value <= 1:
                raise UsageError(f"{name.replace('_', ' ')} cannot be {value:g}", remedy="use a number from -1 to 1")


ANY_ACCURACY = AccuracyFilter()


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


def measures(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """What searches go by: `top1` of the lower precision, `cosine`, the worst output's mean, and `lost`, the drop.

    None for what was not measured, and for what is not a number.
    """
    classes, outputs = metrics.get("classification"), metrics.get("outputs", {})
    cosines = [float(output["cosine_mean"]) for output in outputs.values() if "cosine_mean" in output]
    told = {
        "top1": float(classes["candidate"]["top1"]) if classes else math.nan,
        "cosine": math.nan if any(map(math.isnan, cosines)) else min(cosines, default=math.nan),
        "lost": drop({**metrics, "outputs": outputs}),
    }
    return {name: None if math.isnan(value) else value for name, value in told.items()}


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
        loses, allowed = _told_apart(lost, max_drop)
        raise GateError(
            f"{word} loses {loses} against FP32, {allowed} was allowed",
            cause="the calibrated ranges, or float16, do not suit this model or this data",
            remedy="let --search leave sensitive nodes out of INT8, or name them with --exclude (--keep-fp32 for "
            "float16); try --calibrator auto, or more calibration data",
        )


def _told_apart(lost: float, allowed: float) -> tuple[str, str]:
    """Both shares in percent, with as many digits as tell that more was lost, and the limit as it was written."""
    for digits in range(_DIGITS, _MOST_DIGITS):
        limit = round(allowed, digits + 2)
        if math.isclose(limit, allowed, rel_tol=1e-6) and round(lost, digits + 2) > limit:
            break
    return f"{lost:.{digits}%}", f"{allowed:.{digits}%}"
