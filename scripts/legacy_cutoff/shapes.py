"""Handcrafted histograms of 2048 bins and the data that have them: what a formula is fitted to.

A histogram of `SIZE` values over [0, top]: bin k holds values at its centre, and one value at `top` itself sets the
range (TensorRT counts it in the last bin). All are made of integers, with no random numbers but one named seed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 2048
SIZE = 1 << 16
Counts = NDArray[np.int64]
_BIN = np.arange(BINS)


def shapes() -> dict[str, tuple[Counts, float]]:
    """Name -> (counts int64 (2048,) that add up to SIZE, upper end of the range)."""
    found = {**_smooth(), **_broken(), **_sparse(), **_bumped()}
    return {name: (_filled(weights), _top(name)) for name, weights in found.items()}


def values(counts: Counts, top: float) -> NDArray[np.float32]:
    """SIZE float32 values with that histogram, the largest of them `top`."""
    centres = (_BIN + 0.5) * (top / BINS)
    data = np.repeat(centres, counts)
    data[-1] = top
    return data.astype(np.float32)


def _top(name: str) -> float:
    # Powers of two make bin widths and centres exact; two shapes are repeated on other ranges.
    return {"uniform-odd-range": 1000.3, "half-normal-400-odd-range": 0.037}.get(name, 32.0)


def _filled(weights: NDArray[np.float64]) -> Counts:
    """Whole numbers in these proportions that add up to SIZE, by largest remainders; at least one in the last bin."""
    if weights[0] < 0:
        # Counts already: what is missing goes to the bin that -weights[0] names.
        counts: Counts = weights.astype(np.int64)
        rest, counts[0] = int(-weights[0]), 0
        counts[-1] = max(counts[-1], 1)
        counts[rest] += SIZE - counts.sum()
        return counts
    exact = weights / weights.sum() * (SIZE - 1)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: SIZE - 1 - counts.sum()]] += 1
    counts[-1] += 1
    return counts


def _smooth() -> dict[str, NDArray[np.float64]]:
    linear = (BINS - _BIN).astype(np.float64)
    rng = np.random.RandomState(7)
    samples = np.abs(rng.laplace(size=SIZE))
    return {
        "uniform": np.ones(BINS),
        "uniform-odd-range": np.ones(BINS),
        "linear-falling": linear,
        "linear-rising": linear[::-1].copy(),
        "quadratic-falling": linear**2,
        "cubic-falling": linear**3,
        "exponential-150": np.exp(-_BIN / 150),
        "exponential-250": np.exp(-_BIN / 250),
        "exponential-400": np.exp(-_BIN / 400),
        "exponential-800": np.exp(-_BIN / 800),
        "half-normal-400": np.exp(-((_BIN / 400) ** 2) / 2),
        "half-normal-400-odd-range": np.exp(-((_BIN / 400) ** 2) / 2),
        "half-normal-700": np.exp(-((_BIN / 700) ** 2) / 2),
        "inverse-square": 1 / (_BIN + 20.0) ** 2,
        "laplace-samples": np.histogram(samples, BINS, (0, samples.max()))[0].astype(np.float64),
    }


def _broken() -> dict[str, NDArray[np.float64]]:
    step = np.where(_BIN < BINS // 2, 1.0, 0.1)
    gap = np.where(_BIN // 512 == 2, 0.0, 1.0)  # noqa: PLR2004 - the third quarter
    cut_linear = np.maximum(1024 - _BIN, 0).astype(np.float64)
    zeros = np.ones(BINS)
    zeros[0] = 9 * BINS
    spike = np.full(BINS, 0.0)
    spike[100] = 1
    hump = np.exp(-(((_BIN - 1400) / 150) ** 2) / 2)
    low = np.zeros(BINS)
    low[:500] = 1
    return {
        "step-down": step,
        "gap": gap,
        "linear-to-half-and-outlier": cut_linear,
        "zeros-and-uniform": zeros,
        "spike-and-outlier": spike,
        "hump-at-1400": hump,
        "two-humps": hump + np.exp(-(((_BIN - 400) / 150) ** 2) / 2),
        "uniform-to-500-and-outlier": low,
    }


def _points(points: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Counts at some bins, all else of SIZE in bin 10."""
    counts = np.zeros(BINS)
    for index, count in points:
        counts[index] += count
    counts[0] = -10
    return counts


def _sparse() -> dict[str, NDArray[np.float64]]:
    """Few bins are filled above any cutoff from 0.1 to 0.75 of the range: a regression there has few points."""
    return {
        "point-1500": _points([(1500, 1000)]),
        "points-1500-1700": _points([(1500, 1000), (1700, 100)]),
        "points-1500-1700-equal": _points([(1500, 500), (1700, 500)]),
        "points-1500-1700-rising": _points([(1500, 100), (1700, 1000)]),
        "points-1100-1500-1700": _points([(1100, 4000), (1500, 1000), (1700, 100)]),
        "points-1100-1300-1500": _points([(1100, 400), (1300, 300), (1500, 200)]),
        "points-1100-1300-1500-few": _points([(1100, 40), (1300, 30), (1500, 20)]),
        "points-1100-1300-1500-many": _points([(1100, 8000), (1300, 6000), (1500, 4000)]),
        "points-600-1000": _points([(600, 20000), (1000, 2000)]),
        "points-300-600-1000-1600": _points([(300, 30000), (600, 20000), (1000, 2000), (1600, 100)]),
        "points-last-heavy": _points([(2047, 3000)]),
        "points-last-two": _points([(2046, 300), (2047, 300)]),
        "points-half": _points([(1023, 300), (1024, 300), (1025, 300)]),
    }


def _bumped() -> dict[str, NDArray[np.float64]]:
    """A falling line of 24,000 values and more of them in one bin: what weight each bin has in the result."""
    line = np.floor((BINS - _BIN) / 175).astype(np.float64)
    found: dict[str, NDArray[np.float64]] = {}
    bumps: list[tuple[int, int]] = [(100, 4000), (700, 4000), (1030, 4000), (1200, 4000), (1400, 4000), (1600, 4000)]
    bumps += [(1800, 4000), (1950, 4000), (2040, 4000), (1400, 400), (1400, 40), (1800, 400), (1800, 40)]
    for index, count in bumps:
        counts = line.copy()
        counts[index] += count
        counts[0] = -50
        found[f"line-and-{count}-at-{index}"] = counts
    plain = line.copy()
    plain[0] = -50
    return {"line": plain, **found}
