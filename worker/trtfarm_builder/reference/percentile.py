"""A rule of ours: a percentile of |x|, without the legacy rule's rounding up to whole bins."""

from dataclasses import dataclass

import numpy as np

from trtfarm_builder.reference.histogram import Distribution


@dataclass(frozen=True)
class Percentile:
    quantile: float

    def amax(self, seen: Distribution) -> float:
        """The magnitude that this share of all values does not exceed, values spread evenly over their bin."""
        wanted = self.quantile * int(seen.counts.sum())
        reached = np.cumsum(seen.counts)
        index = min(int(np.searchsorted(reached, wanted)), int(np.flatnonzero(seen.counts)[-1]))
        below = int(reached[index - 1]) if index else 0
        part = min(max((wanted - below) / int(seen.counts[index]), 0.0), 1.0)
        return (index + part) * seen.width
