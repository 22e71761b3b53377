"""The calibrators by name: what each observes, and how it turns that into a dynamic range."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Protocol

from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.reference.entropy import Entropy
from trtfarm_builder.reference.legacy import Legacy
from trtfarm_builder.reference.minmax import MinMax
from trtfarm_builder.reference.mse import MeanSquaredError
from trtfarm_builder.reference.percentile import Percentile

#: To be raised with every change that may change a number in a table.
REVISION = 3


class AmaxRule(Protocol):
    """Chooses the dynamic range of one tensor, which is not all zero, from what was observed of it."""

    def amax(self, seen: Any) -> float:
        """The largest magnitude that int8 is to hold."""


@dataclass(frozen=True)
class Rule:
    """A calibrator with its parameters: `statistic` is the kind it observes, `batch_size` is in samples."""

    calibrator: str
    batch_size: int
    statistic: str
    amax: Callable[[Any], float]


_PLAIN: Dict[str, Callable[[], AmaxRule]] = {
    "minmax": MinMax,
    "entropy2": Entropy,
    "entropy": Entropy,
    "mse": MeanSquaredError,
}
_WITH_QUANTILE = ("legacy", "percentile")


def rule_from(request: Mapping[str, Any]) -> Rule:
    """The rule of a request's `rule`. Raises BadRequestError for what the reference cannot compute."""
    name = request["calibrator"]
    if name not in _PLAIN and name not in _WITH_QUANTILE:
        known = sorted([*_PLAIN, *_WITH_QUANTILE])
        raise BadRequestError("unknown calibrator {!r}".format(name), remedy="use one of: " + ", ".join(known))
    if not request.get("before_fusion", True):
        raise BadRequestError(
            "the reference cannot calibrate after layer fusion",
            cause="fusion depends on the device and on TensorRT, and the reference runs the model unfused",
            remedy="calibrate before fusion, or with a TensorRT toolchain on a GPU",
        )
    return Rule(
        calibrator=name,
        batch_size=int(request["batch_size"]),
        statistic="range" if name == "minmax" else "histogram",
        amax=_amax_rule(name, request).amax,
    )


_DEFAULT_QUANTILE = 0.9999
_DEFAULT_CUTOFF = 1.0


def _amax_rule(name: str, request: Mapping[str, Any]) -> AmaxRule:
    if name in _PLAIN:
        return _PLAIN[name]()
    quantile = _number(request.get("quantile"), _DEFAULT_QUANTILE)
    if name == "legacy":
        return Legacy(quantile, _number(request.get("cutoff"), _DEFAULT_CUTOFF))
    return Percentile(quantile)


def _number(value: Optional[float], default: float) -> float:
    return default if value is None else value
