"""How much two models' outputs agree, added up batch by batch in float64; the memory used does not grow."""

import math
from typing import Any, Dict, Optional, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.float64]


class Agreement(Protocol):
    """A sum over batches of how much reference and candidate agree in one output."""

    def add(self, reference: Array, candidate: Array) -> None:
        """Adds samples; both arrays are of shape (samples, elements)."""

    def result(self) -> Dict[str, Any]:
        """The measures over all samples."""


class FloatAgreement:
    """Agreement of a floating-point output y of the reference with ŷ of the candidate.

    A sample is one row. Elements that are not finite and the same in both (a mask of -inf) are left out. A sample
    where only one of the two is finite, or where they differ otherwise beyond finite numbers, is *broken*: its cosine
    counts as 0.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._broken = 0
        self._nonfinite = {"reference": 0, "candidate": 0}
        self._cosine_sum = 0.0
        self._loss_squares = 0.0
        self._cosine_min = math.inf
        self._signal = 0.0
        self._noise = 0.0
        self._max_abs_error = 0.0

    def add(self, reference: Array, candidate: Array) -> None:
        """Adds samples of any floating-point type, shape (samples, elements)."""
        y, z = reference.astype(np.float64), candidate.astype(np.float64)
        finite = np.isfinite(y) & np.isfinite(z)
        same = finite | (y == z) | (np.isnan(y) & np.isnan(z))
        broken = ~same.all(axis=1)
        self._nonfinite["reference"] += int(np.count_nonzero(~np.isfinite(y)))
        self._nonfinite["candidate"] += int(np.count_nonzero(~np.isfinite(z)))
        y[~finite] = 0
        z[~finite] = 0
        cosines = np.where(broken, 0.0, _cosines(y, z))
        error = np.abs(y - z)
        self._samples += len(y)
        self._broken += int(np.count_nonzero(broken))
        self._cosine_sum += float(cosines.sum())
        self._loss_squares += float(np.square(1 - cosines).sum())
        self._cosine_min = min(self._cosine_min, float(cosines.min(initial=math.inf)))
        self._signal += float(np.square(y).sum())
        self._noise += float(np.square(error).sum())
        self._max_abs_error = max(self._max_abs_error, float(error.max(initial=0.0)))

    def result(self) -> Dict[str, Any]:
        """The measures over all samples.

        cosine_mean, cosine_min, cosine_deviation: mean, least and standard deviation over samples of y·ŷ / (|y| |ŷ|); 1
        where both are zero, 0 where one is.
        snr_db: 10 log10(Σ y² / Σ (y - ŷ)²) over all elements of all samples, in decibel; None where there is no error
        or no signal.
        max_abs_error: max |y - ŷ|. Neither of these two is told where a sample is broken.
        broken_samples, and nonfinite_reference and nonfinite_candidate: numbers of samples and of elements.
        """
        whole = self._broken == 0
        mean = self._cosine_sum / self._samples
        # Of 1 - cosine, whose squares do not drown in the rounding of numbers near 1.
        variance = self._loss_squares / self._samples - (1 - mean) ** 2
        return {
            "cosine_mean": mean,
            "cosine_min": self._cosine_min,
            "cosine_deviation": math.sqrt(max(variance, 0.0)),
            "snr_db": _decibel(self._signal, self._noise) if whole else None,
            "max_abs_error": self._max_abs_error if whole else None,
            "broken_samples": self._broken,
            "nonfinite_reference": self._nonfinite["reference"],
            "nonfinite_candidate": self._nonfinite["candidate"],
        }


class IntegerAgreement:
    """Agreement of an output of integers or booleans: the share of elements that are equal."""

    def __init__(self) -> None:
        self._equal = 0
        self._elements = 0

    def add(self, reference: Array, candidate: Array) -> None:
        self._equal += int(np.count_nonzero(reference == candidate))
        self._elements += reference.size

    def result(self) -> Dict[str, Any]:
        """equal_share: equal elements / all elements, 1 where there are none."""
        return {"equal_share": self._equal / self._elements if self._elements else 1.0}


def _cosines(y: Rows, z: Rows) -> Rows:
    # Scaled to 1 first, so that squares neither overflow nor vanish.
    y, z = _scaled(y), _scaled(z)
    lengths = np.linalg.norm(y, axis=1), np.linalg.norm(z, axis=1)
    both_zero = (lengths[0] == 0) & (lengths[1] == 0)
    product = lengths[0] * lengths[1]
    cosines = np.einsum("ij,ij->i", y, z) / np.where(product == 0, 1, product)
    return np.clip(np.where(both_zero, 1.0, cosines), -1, 1)


def _scaled(rows: Rows) -> Rows:
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled: Rows = rows / np.where(largest == 0, 1, largest)
    return scaled


def _decibel(signal: float, noise: float) -> Optional[float]:
    if signal == 0 or noise == 0 or math.isinf(signal) or math.isinf(noise):
        return None
    return 10 * math.log10(signal / noise)
