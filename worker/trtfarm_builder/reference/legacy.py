"""The rule of IInt8LegacyCalibrator with a regression cutoff of 1: a quantile of the histogram."""

from dataclasses import dataclass

import numpy as np

from trtfarm_builder.reference.histogram import Distribution


@dataclass(frozen=True)
class Legacy:
    quantile: float

    def amax(self, seen: Distribution) -> float:
        """The upper end of the first bin at which the running share of values reaches the quantile."""
        shares = np.cumsum(seen.counts / seen.counts.sum())
        # Rounding may leave the last share just short of a quantile of 1.
        last = np.flatnonzero(seen.counts)[-1]
        index = min(int(np.searchsorted(shares, self.quantile)), int(last))
        return (index + 1) * seen.width
