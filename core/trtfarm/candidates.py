"""`--calibrator auto`: which calibrators are compared, the steps that do it, and which of them wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trtfarm.calibrators import CalibrationRule, Calibrator

#: What is compared; of equally good ones the first wins. Before fusion, Entropy gives Entropy2's scales, and Legacy
#: with its default cutoff is a percentile: neither could win.
COMPARED = (Calibrator.MINMAX, Calibrator.ENTROPY2, Calibrator.PERCENTILE, Calibrator.MSE)


def candidate_rules(*, batch_size: int, quantile: float | None, native: bool) -> tuple[CalibrationRule, ...]:
    """The rules to compare, only those that TensorRT has itself with `native`; `quantile` is of those that have one."""
    return tuple(
        CalibrationRule.of(
            calibrator,
            batch_size=batch_size,
            quantile=quantile if calibrator is Calibrator.PERCENTILE else None,
        )
        for calibrator in COMPARED
        if calibrator.native or not native
    )


@dataclass(frozen=True)
class Trial:
    """The steps of one candidate, by name."""

    calibrate: str
    quantize: str
    verify: str


def trial_of(rule: CalibrationRule) -> Trial:
    return Trial(*(f"{step} {rule.calibrator}" for step in ("calibrate", "quantize", "verify")))


def best(drops: Sequence[float]) -> int:
    """The place of the smallest loss, the first of equal ones; what could not be measured (NaN) loses to all others."""

    def rank(place: int) -> tuple[bool, float]:
        unknown = math.isnan(drops[place])
        return unknown, 0.0 if unknown else drops[place]

    return min(range(len(drops)), key=rank)
