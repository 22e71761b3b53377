"""The calibrators and their parameters: which rule turns observed activations into scales."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trtfarm.errors import UsageError


class Calibrator(StrEnum):
    """A rule for choosing a tensor's dynamic range; the first four are TensorRT's own interfaces."""

    #: IInt8MinMaxCalibrator: the largest magnitude seen.
    MINMAX = "minmax"
    #: IInt8EntropyCalibrator2: least KL divergence over a doubling histogram; always before fusion.
    ENTROPY2 = "entropy2"
    #: IInt8EntropyCalibrator: the same rule, after fusion unless told otherwise.
    ENTROPY = "entropy"
    #: IInt8LegacyCalibrator: a quantile of the doubling histogram, with a regression cutoff.
    LEGACY = "legacy"
    #: Ours: a percentile of |x|.
    PERCENTILE = "percentile"
    #: Ours: least mean squared quantisation error.
    MSE = "mse"

    @classmethod
    def parse(cls, text: str) -> Calibrator:
        """Reads a calibrator's word; raises UsageError that names them all."""
        try:
            return cls(text.lower())
        except ValueError as error:
            raise UsageError(f"no calibrator {text!r}", remedy="use one of: " + ", ".join(cls)) from error

    @property
    def native(self) -> bool:
        """Whether TensorRT itself has it."""
        return self not in {Calibrator.PERCENTILE, Calibrator.MSE}

    @property
    def statistic(self) -> str:
        """What the reference observes of a tensor for it: several rules go by the same histogram."""
        return "range" if self is Calibrator.MINMAX else "histogram"


#: Calibrators that TensorRT runs after layer fusion unless CALIBRATE_BEFORE_FUSION is set.
AFTER_FUSION_BY_DEFAULT = frozenset({Calibrator.ENTROPY, Calibrator.LEGACY})
#: TensorRT's words for its calibrators in a table's header. Legacy tables have no header word.
HEADER_WORDS = {
    Calibrator.MINMAX: "MinMaxCalibration",
    Calibrator.ENTROPY2: "EntropyCalibration2",
    Calibrator.ENTROPY: "EntropyCalibration",
    # TensorRT knows no word for our own rules; it takes their tables through its Entropy2 interface.
    Calibrator.PERCENTILE: "EntropyCalibration2",
    Calibrator.MSE: "EntropyCalibration2",
}
#: Those whose parameters are a quantile (0 < q <= 1) and, for legacy, a cutoff (0 < c <= 1).
WITH_QUANTILE = frozenset({Calibrator.LEGACY, Calibrator.PERCENTILE})
DEFAULT_QUANTILE = 0.9999
DEFAULT_CUTOFF = 1.0


@dataclass(frozen=True, kw_only=True)
class CalibrationRule:
    """A calibrator with all that changes its numbers; batch size is in samples.

    `before_fusion` is the fusion position: tables made before fusion name every tensor and are portable between
    devices.
    """

    calibrator: Calibrator
    batch_size: int
    before_fusion: bool = True
    quantile: float | None = None
    cutoff: float | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"a batch size of {self.batch_size} is not possible", remedy="use 1 or more")
        if self.quantile is not None and self.calibrator not in WITH_QUANTILE:
            raise UsageError(
                f"{self.calibrator} has no quantile", remedy="leave --quantile out, or use legacy or percentile"
            )
        if self.cutoff is not None and self.calibrator is not Calibrator.LEGACY:
            raise UsageError(f"{self.calibrator} has no cutoff", remedy="leave --cutoff out, or use legacy")
        for name, value in (("quantile", self.quantile), ("cutoff", self.cutoff)):
            if value is None:
                continue
            if not 0 < value <= 1:
                raise UsageError(f"a {name} of {value} is not possible", remedy="use a number above 0 and up to 1")
            # 1 and 1.0 are equal and are written differently in JSON, which is what keys are made of.
            object.__setattr__(self, name, float(value))

    @classmethod
    def of(
        cls,
        calibrator: Calibrator,
        *,
        batch_size: int,
        before_fusion: bool = True,
        quantile: float | None = None,
        cutoff: float | None = None,
    ) -> CalibrationRule:
        """The rule with the calibrator's own defaults filled in, so that equal rules are equal values."""
        if calibrator in WITH_QUANTILE and quantile is None:
            quantile = DEFAULT_QUANTILE
        if calibrator is Calibrator.LEGACY and cutoff is None:
            cutoff = DEFAULT_CUTOFF
        return cls(
            calibrator=calibrator,
            batch_size=batch_size,
            before_fusion=before_fusion or calibrator not in AFTER_FUSION_BY_DEFAULT,
            quantile=quantile,
            cutoff=cutoff,
        )

    @property
    def portable(self) -> bool:
        """Whether the table holds on every device: fusion differs between devices, so only before it."""
        return self.before_fusion

    def as_dict(self) -> dict[str, Any]:
        return {
            "calibrator": self.calibrator.value,
            "batch_size": self.batch_size,
            "before_fusion": self.before_fusion,
            "quantile": self.quantile,
            "cutoff": self.cutoff,
        }
