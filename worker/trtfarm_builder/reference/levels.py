"""What the searches over clipping ranges share: sums over levels of many candidates at once, from running sums."""

from typing import Any, Iterator

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.reference.histogram import BINS

#: Magnitudes an int8 can tell apart, zero included.
LEVELS = 128
# Candidates whose tables are worked on at a time: they stay in a core's cache.
_BLOCK = 128
#: The clipping ranges that are tried, in bins: from one bin per level to the whole histogram.
CANDIDATES: NDArray[np.int64] = np.arange(LEVELS, BINS + 1)


def candidate_blocks() -> Iterator[slice]:
    """Slices that cover CANDIDATES."""
    for start in range(0, len(CANDIDATES), _BLOCK):
        yield slice(start, start + _BLOCK)


def running_sums(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of the first 0, 1, …, n values."""
    return np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])


def level_sums(running: NDArray[Any], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums per candidate and level, from running sums; level l of candidate c begins at bin bounds[c, l].

    A candidate costs as many steps as it has levels, not as it has bins.
    """
    sums: NDArray[np.float64] = np.diff(running[bounds], axis=1).astype(np.float64, copy=False)
    return sums
