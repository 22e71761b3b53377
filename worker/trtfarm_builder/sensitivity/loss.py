"""What is lost to INT8, as one number: the same share that the farm's accuracy gate compares."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

#: By what the loss is told: the mean cosine similarity to FP32's outputs, or whether the highest score is the same.
MEASURES = ("cosine", "top1")
#: Samples before a loss can be beyond doubt, and how many standard errors away from the limit it then is.
_ENOUGH = 32
_CERTAIN = 4
#: Shares below this are told in percent by figures, not by digits after the point.
_SMALL = 0.01


@dataclass(frozen=True)
class Loss:
    """`share` is what is lost, 0.01 being one percent, on so many `samples`, and `error` its standard error.

    `outputs` has the loss of each output by itself: one less the mean cosine, or the share of integers that differ.
    """

    share: float
    error: float
    outputs: Mapping[str, float]
    samples: int

    def within(self, allowed: float) -> bool:
        """Whether it is small enough, its standard error included."""
        return self.share + self.error <= allowed

    def beyond(self, allowed: float) -> bool:
        """Whether it is too large with so little doubt that more samples would change nothing."""
        return self.samples >= _ENOUGH and self.share - _CERTAIN * self.error > allowed

    def as_dict(self) -> Dict[str, Any]:
        return {"loss": self.share, "error": self.error, "samples": self.samples}


def loss_from(outputs: Mapping[str, Mapping[str, Any]], agreeing: Optional[float], samples: int) -> Loss:
    """The loss that `outputs`, the measures of an evaluation, amount to.

    `agreeing` is the share of samples whose highest score is in the same class as FP32's; where it is given it decides:
    Top-1 cannot drop by more than the others. Else the output that lost most does.
    """
    losses: Dict[str, float] = {}
    errors: Dict[str, float] = {}
    for name, measured in outputs.items():
        if "cosine_mean" in measured:
            losses[name] = max(1 - measured["cosine_mean"], 0.0)
            errors[name] = measured["cosine_deviation"] / math.sqrt(samples)
        else:
            losses[name] = 1 - measured["equal_share"]
            errors[name] = _binomial_error(losses[name], samples)
    if agreeing is not None:
        return Loss(1 - agreeing, _binomial_error(1 - agreeing, samples), losses, samples)
    worst = max(losses, key=lambda name: losses[name])
    return Loss(losses[worst], errors[worst], losses, samples)


def percent(share: float) -> str:
    """With two digits after the point; small ones with as many as show what they are, to three figures: 0.0005%."""
    if not 0 < share < _SMALL:
        return "{:.2%}".format(share)
    digits = 2 - math.floor(math.log10(share * 100))
    whole, after = "{:.{}f}".format(share * 100, digits).split(".")
    return "{}.{}%".format(whole, after.rstrip("0").ljust(2, "0"))


def _binomial_error(share: float, samples: int) -> float:
    """Standard error of a share of independent samples: √(p (1 - p) / n)."""
    return math.sqrt(max(share * (1 - share), 0.0) / samples)
