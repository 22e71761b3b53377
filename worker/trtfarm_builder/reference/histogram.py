"""TensorRT's histogram of |x|: the first batch sets the range, later ones double it, merging bins in pairs."""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.magnitudes import as_float32, fault_of

BINS = 2048
#: Doublings from the smallest to the largest float32.
LEVELS = 280
# Values that are binned at a time: their copies stay in a core's cache.
_CHUNK = 1 << 15
# Below this 2048 / range is no float32.
_TINY = 2.0**-100

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Distribution:
    """How often each magnitude was seen: `counts` int64 (2048,) over [0, range]."""

    counts: Counts
    range: float

    @property
    def width(self) -> float:
        """Width of a bin."""
        return self.range / BINS


class Histogram:
    """Magnitudes of one tensor, 2048 bins over [0, base * 2**level].

    `base` is the largest magnitude of the first batch that is not all zero (float32), 0 before that; `zeros` counts the
    values seen before. A batch may be added in pieces: the result is that of adding it whole, to the bit.

    The one thing that depends on history is a value exactly on the upper end of the range of its time: it is counted in
    the last bin, and stays in the lower half when bins merge, while after an earlier doubling it would have been the
    first of the upper half. `edges` counts such values by level, apart from `counts`, so that histograms of
    consecutive shards of the data, which each know only their own doublings, can be merged to what one would be.
    """

    def __init__(self, base: float = 0.0) -> None:
        self.fault = ""
        self.base = base
        self.level = 0
        self.zeros = 0
        self.counts: Counts = np.zeros(BINS, np.int64)
        self.edges: Counts = np.zeros(LEVELS, np.int64)
        self._on_edge = 0
        self._unplaced = 0
        self._first_amax = 0.0

    @property
    def range(self) -> float:
        return math.ldexp(self.base, self.level)

    @property
    def settled(self) -> bool:
        """Never: every value counts."""
        return False

    def add(self, values: NDArray[Any]) -> None:
        """Adds values of the current batch, any shape, float16, float32 or float64 (taken as float32)."""
        flat = as_float32(values)
        buffer = np.empty(min(flat.size, _CHUNK), np.float32)
        for start in range(0, flat.size, _CHUNK):
            chunk = flat[start : start + _CHUNK]
            self._add_magnitudes(np.abs(chunk, out=buffer[: chunk.size]))

    def _add_magnitudes(self, magnitudes: "NDArray[np.float32]") -> None:
        amax = float(magnitudes.max())
        self.fault = self.fault or fault_of(amax)
        if self.fault:
            return
        if not self.base:
            self._first_amax = max(self._first_amax, amax)
            self._unplaced += magnitudes.size
            return
        while amax > self.range:
            self._double()
        self._count(magnitudes)

    def recount(self) -> bool:
        """To be asked after each batch: True when it gave the range, and its values have to be added once more."""
        if self.fault or self.base or not self._first_amax:
            return False
        self.base = self._first_amax
        self._unplaced = 0
        return True

    def end_batch(self) -> None:
        self.edges[self.level] += self._on_edge
        self.zeros += self._unplaced
        self._on_edge = self._unplaced = 0

    def _double(self) -> None:
        self.counts = _halved(self.counts)
        # The running batch is what doubles the range: its values so far belong where the new range puts them.
        self.counts[BINS // 2] += self._on_edge
        self._on_edge = 0
        self.level += 1

    def _count(self, magnitudes: "NDArray[np.float32]") -> None:
        # TensorRT computes in float32. Scaling by powers of two is exact there, so that bins merge as if they had
        # always been wide.
        real = np.float32 if self.base > _TINY else np.float64
        index = (magnitudes * real(BINS / self.range)).astype(np.int32)
        found = np.bincount(index, minlength=BINS + 1)
        self.counts += found[:BINS]
        self._on_edge += int(found[BINS])

    def placed(self, level: int, before: int = -1) -> Counts:
        """The counts over [0, base * 2**level], edges and zeros included.

        `before` is the level that earlier shards had reached: their range is this one's too, from its first batch on.
        """
        counts = self.counts
        for _ in range(level - self.level):
            counts = _halved(counts)
        counts = counts.copy()
        for edge in np.flatnonzero(self.edges):
            upper = BINS >> int(level - edge)
            counts[upper if before > edge else max(upper - 1, 0)] += self.edges[edge]
        counts[0] += self.zeros
        return counts

    def summary(self) -> Distribution:
        return Distribution(counts=self.placed(self.level), range=self.range)

    def row(self) -> Dict[str, Any]:
        """The state as plain numbers and arrays, between batches."""
        return {
            "base": self.base,
            "level": self.level,
            "zeros": self.zeros,
            "counts": self.counts,
            "edges": self.edges,
            "fault": self.fault,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Histogram":
        self = cls(float(row["base"]))
        self.level, self.zeros, self.fault = int(row["level"]), int(row["zeros"]), str(row["fault"])
        self.counts, self.edges = row["counts"], row["edges"]
        return self

    @classmethod
    def merged(cls, parts: Sequence["Histogram"]) -> "Histogram":
        """The histogram of consecutive shards, in their order, over the base of the first that has one.

        Shards have one base, which `bases.py` finds for all of them, unless their processors rounded it otherwise: by
        less than half a bin, all counts stay in their bins. Raises BadDataError where bases differ by more.
        """
        self = cls()
        self.fault = next((part.fault for part in parts if part.fault), "")
        if self.fault:
            return self
        bases = [part.base for part in parts if part.base]
        if bases and max(bases) / min(bases) - 1 >= 0.5 / BINS:
            raise BadDataError(
                "the shards' histograms have no common base range: {}".format(sorted(set(bases))),
                cause="they were not all observed with the bases that hold for all of the data, or by processors that "
                "round otherwise than each other",
                remedy="observe the data again, on workers of one kind (--require-label), or without --shards",
            )
        self.base = bases[0] if bases else 0.0
        self.level = max(part.level for part in parts)
        before = -1
        placed: List[Counts] = []
        for part in parts:
            placed.append(part.placed(self.level, before))
            before = max(before, part.level if part.base else -1)
        self.counts = np.sum(placed, axis=0)
        return self


def _halved(counts: Counts) -> Counts:
    """Bins merged in pairs into the lower half, the upper half empty."""
    return np.concatenate([counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
