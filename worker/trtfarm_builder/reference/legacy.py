"""The rule of IInt8LegacyCalibrator: a quantile of the histogram or, with a cutoff below 1, a line fitted to it."""

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.reference.histogram import Counts, Distribution

# Where the fitted line ends: log(1 + count) of about one value. Found by fitting; ln 2 misses by a thousandth.
_FLOOR = 0.694
# A line that ends beyond so many times the largest magnitude is not believed.
_FARTHEST = 2.0


@dataclass(frozen=True)
class Legacy:
    """NVIDIA publishes no formula: this one was fitted to what TensorRT 8.5.3.1 answers for known histograms.

    Measured on 50 histograms at 7 cutoffs from 0.1 to 0.99 (scripts/legacy_cutoff), all of which it gives within 2e-5.
    """

    quantile: float
    cutoff: float = 1.0

    def amax(self, seen: Distribution) -> float:
        """Where the tail's fitted line ends; without a cutoff, or without a credible line, the quantile."""
        bins = _end_of_line(seen.counts, self.cutoff) if self.cutoff < 1 else None
        return (self._quantile_bins(seen) if bins is None else bins) * seen.width

    def _quantile_bins(self, seen: Distribution) -> int:
        """The upper end of the first bin at which the running share of values reaches the quantile."""
        shares = np.cumsum(seen.counts / seen.counts.sum())
        # Rounding may leave the last share just short of a quantile of 1.
        last = np.flatnonzero(seen.counts)[-1]
        return min(int(np.searchsorted(shares, self.quantile)), int(last)) + 1


def _end_of_line(counts: Counts, cutoff: float) -> Optional[float]:
    """In bins, where a line through log(1 + count) against the bins' centres comes down to about one value.

    It is fitted by least squares to the filled bins from the fullest one on, bin 0 left out, whose logarithm is at
    least `cutoff` of the way from the floor to the fullest's. None where there are no two such bins, where the line
    does not fall, or where it ends too far beyond the last value.
    """
    heights = np.log1p(counts.astype(np.float64))
    peak = 1 + int(np.argmax(counts[1:]))
    lowest = _FLOOR + cutoff * (heights[peak] - _FLOOR)
    chosen = peak + np.flatnonzero((counts[peak:] > 0) & (heights[peak:] >= lowest))
    if len(chosen) < 2:  # noqa: PLR2004 - a line has two points
        return None
    end = _crossing(chosen + 0.5, heights[chosen])
    last = int(np.flatnonzero(counts)[-1]) + 1
    return None if end is None or end > _FARTHEST * last else end


def _crossing(x: "NDArray[Any]", y: "NDArray[Any]") -> Optional[float]:
    """Where the least-squares line through the points meets the floor; None if it does not fall."""
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return float(x.mean() + (_FLOOR - y.mean()) / slope) if slope < 0 else None
