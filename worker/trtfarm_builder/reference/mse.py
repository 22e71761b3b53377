"""A rule of ours: the clipping range of least mean squared quantisation error."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.reference.histogram import BINS, Distribution
from trtfarm_builder.reference.levels import CANDIDATES, LEVELS, candidate_blocks, level_sums, running_sums

_CENTRES = np.arange(BINS) + 0.5
_LEVELS: NDArray[np.int64] = np.arange(LEVELS)


@dataclass(frozen=True)
class MeanSquaredError:
    def amax(self, seen: Distribution) -> float:
        """The upper end of the candidate's last bin; the narrowest of those that tie."""
        return float(CANDIDATES[np.argmin(squared_errors(seen))]) * seen.width


def squared_errors(seen: Distribution) -> NDArray[np.float64]:
    """Sum of (x - quantised x)**2 in squared bins for every candidate, each value taken at the centre of its bin.

    Within a level of value v the sum is that of x**2 - 2 v x + v**2, whose three parts come from running sums.
    """
    counts = seen.counts.astype(np.float64)
    moments = [running_sums(counts * _CENTRES**power) for power in (0, 1, 2)]
    errors = np.empty(len(CANDIDATES))
    for block in candidate_blocks():
        values = _values(block)
        number, first, second = (level_sums(moment, _bounds()[block]) for moment in moments)
        errors[block] = (second - 2 * values * first + values**2 * number).sum(axis=1)
    return errors


def _values(block: slice) -> NDArray[np.float64]:
    """What the levels 0 to 127 of some candidates stand for, in bins, (candidates, levels)."""
    values: NDArray[np.float64] = _LEVELS * (CANDIDATES[block, None] / (LEVELS - 1))
    return values


@lru_cache(maxsize=None)
def _bounds() -> NDArray[np.int64]:
    """First bin of each level, (candidates, levels + 1): its centre rounds to the level; the last takes the rest."""
    values = _values(slice(None))
    middles = values - values[:, 1:2] / 2
    first = np.ceil(middles - 0.5).clip(0, BINS).astype(np.int64)
    return np.concatenate([first, np.full((len(CANDIDATES), 1), BINS)], axis=1)
