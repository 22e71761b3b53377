"""The rule of IInt8EntropyCalibrator2, and of IInt8EntropyCalibrator before fusion: least KL divergence."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.reference.histogram import Distribution
from trtfarm_builder.reference.levels import CANDIDATES, LEVELS, candidate_blocks, level_sums, running_sums

# Candidates must keep this share of the mass. Any bound from 0.054 to 0.062 fits all that TensorRT 8.5 was seen to do.
_KEPT = 1 / 16
# Candidates whose divergences (in nats) differ by less are tied: running sums round to about 1e-13.
_TIE = 1e-10


@dataclass(frozen=True)
class Entropy:
    def amax(self, seen: Distribution) -> float:
        """(i + 1/2) bins for the candidate i of least divergence, the widest of those that tie."""
        divergence = divergences(seen)
        best = CANDIDATES[np.flatnonzero(divergence <= divergence.min() + _TIE)[-1]]
        return (float(best) + 0.5) * seen.width


def divergences(seen: Distribution) -> NDArray[np.float64]:
    """KL(P || Q) in nats for every candidate i from 128 to 2048, infinity for those that clip too much.

    P is the first i bins, with everything beyond added to the last of them; Q is the same bins without that, merged
    into 128 levels, the mean of each level's non-empty bins put back into these bins. Both are normalised. Bin 0, where
    ReLU and padding pile up, counts as much as bin 1. Where outliers would be piled upon a bin that is empty, Q is 0
    and the divergence infinite: tensors with few and distant outliers keep them.

    With P = p / total and Q = q / kept the divergence is
    (sum p log p - sum p log q) / total - log total + log kept, whose sums over bins and levels come from running sums.
    """
    counts = seen.counts.astype(np.float64)
    counts[0] = counts[1]
    total = counts.sum()
    kept = running_sums(counts)[CANDIDATES]
    clipped = total - kept
    last = counts[CANDIDATES - 1]
    last_clipped = last + clipped

    inside_log_q, last_log_q = _quantised(counts)
    p_log_p = running_sums(counts * _log(counts))[CANDIDATES - 1] + last_clipped * _log(last_clipped)
    p_log_q = inside_log_q + clipped * last_log_q
    divergence: NDArray[np.float64] = (p_log_p - p_log_q) / total - np.log(total) + _log(kept)
    divergence[(kept < _KEPT * total) | ((last == 0) & (clipped > 0))] = np.inf
    return divergence


def _quantised(counts: NDArray[np.float64]) -> Tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every candidate the sum of counts times log q, and the log q of its last level."""
    values, used = running_sums(counts), running_sums(counts > 0)
    sums, lasts = np.empty(len(CANDIDATES)), np.empty(len(CANDIDATES))
    for block in candidate_blocks():
        bounds = _bounds()[block]
        inside = level_sums(values, bounds)
        log_mean = _log(inside / np.maximum(level_sums(used, bounds), 1))
        sums[block] = (inside * log_mean).sum(axis=1)
        lasts[block] = log_mean[:, -1]
    return sums, lasts


@lru_cache(maxsize=None)
def _bounds() -> NDArray[np.int64]:
    """First bin of each level, (candidates, levels + 1): bin j is in level floor(j * levels / candidate)."""
    return -(-np.arange(LEVELS + 1) * CANDIDATES[:, None] // LEVELS)


def _log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log x, and 0 where x is 0: empty bins contribute nothing."""
    logs: NDArray[np.float64] = np.log(values, out=np.zeros_like(values), where=values > 0)
    return logs
