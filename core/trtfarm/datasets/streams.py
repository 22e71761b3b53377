"""Arrays read from their files in pieces of whole samples, whatever the file format; nothing is loaded whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trtfarm.datasets import limits
from trtfarm.datasets.files import Reader, damaged
from trtfarm.errors import DataError

#: Written out, because importing `numpy.typing` for its NDArray takes longer than some commands.
Samples = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class ArrayStream:
    """An array that is about to be read: the reader stands at its first element. `shape` has the samples first.

    `is_canonical` says that the file is, byte for byte, what the farm would write for it. `is_last` says that nothing
    may come after the last sample.
    """

    reader: Reader
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_canonical: bool = False
    is_last: bool = True

    @property
    def name(self) -> str:
        return self.reader.name

    def chunks(self) -> Iterator[Samples]:
        """The samples in order, some at a time, in the machine's byte order.

        Raises DataError when the file holds fewer or more than its shape says.
        """
        samples, *rest = self.shape
        sample_bytes = math.prod(rest) * self.dtype.itemsize
        per_chunk = max(1, limits.CHUNK_BYTES // sample_bytes)
        for start in range(0, samples, per_chunk):
            count = min(per_chunk, samples - start)
            data = self.reader.read(count * sample_bytes)
            if len(data) < count * sample_bytes:
                raise damaged(self.name, f"it ends in sample {start + len(data) // sample_bytes} of {samples}")
            chunk = np.frombuffer(data, self.dtype).reshape((count, *rest))
            yield chunk.astype(self.dtype.newbyteorder("="), copy=False)
        if self.is_last and self.reader.read(1):
            raise damaged(self.name, f"there is more in it than its shape {list(self.shape)} says")

    def part(self, first: int, end: int) -> ArrayStream:
        """The samples from `first` up to and without `end`; reads those before them. Raises DataError for too few."""
        if end > self.shape[0]:
            raise DataError(
                f"{self.name} has {self.shape[0]:,} samples",
                cause=f"{first} to {end} are asked for",
                remedy="ask for less",
            )
        before = first * math.prod(self.shape[1:]) * self.dtype.itemsize
        while before:
            passed = len(self.reader.read(min(before, limits.CHUNK_BYTES)))
            if not passed:
                raise damaged(self.name, f"it ends before sample {first}")
            before -= passed
        is_last = self.is_last and end == self.shape[0]
        return replace(self, shape=(end - first, *self.shape[1:]), is_canonical=False, is_last=is_last)


def check_size(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises DataError for an array that is empty, too large to be read, or of more dimensions than NumPy has."""
    if len(shape) > limits.RANK:
        raise DataError(f"{name} has {len(shape)} dimensions", cause=f"{limits.RANK} are allowed")
    if 0 in shape:
        raise DataError(f"{name} is empty: its shape is {list(shape)}", remedy="put samples in it")
    sample_bytes = math.prod(shape[1:]) * dtype.itemsize
    if sample_bytes > limits.SAMPLE_BYTES or sample_bytes * shape[0] > limits.ARRAY_BYTES:
        raise DataError(
            f"{name} is too large: {list(shape)} {dtype}",
            cause=f"a sample may have {limits.SAMPLE_BYTES:,} bytes and an array {limits.ARRAY_BYTES:,}",
            remedy="check its shape; some hundred samples are usually enough to calibrate with",
        )
