"""Largest magnitudes, and what makes a tensor's values useless for a scale."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_A_NUMBER = "not a number"
INFINITE = "infinite"


def as_float32(values: NDArray[Any]) -> "NDArray[np.float32]":
    """The values as one row of float32, which is what TensorRT sees; larger float64 become infinite."""
    with np.errstate(over="ignore"):
        return values.reshape(-1).astype(np.float32, copy=False)


def largest_magnitude(values: "NDArray[np.float32]") -> float:
    """max |x|, without a copy of the values; not a number if one of them is."""
    return max(float(values.max()), -float(values.min()))


def fault_of(amax: float) -> str:
    """The fault of values with this largest magnitude; empty where it is finite."""
    if math.isnan(amax):
        return NOT_A_NUMBER
    return INFINITE if math.isinf(amax) else ""
