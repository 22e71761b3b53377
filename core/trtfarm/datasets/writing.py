"""One array of a prepared data set: checked, converted, hashed and written in one pass over its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trtfarm.datasets.dataset import Array
from trtfarm.datasets.npy import canonical_header
from trtfarm.datasets.streams import ArrayStream, Samples
from trtfarm.datasets.values import UnfitValuesError
from trtfarm.errors import DataError

Convert = Callable[[Samples], Samples]


def written(stream: ArrayStream, dtype: np.dtype[Any], convert: Convert, path: Path, file: BinaryIO) -> Array:
    """Writes what `convert` makes of the stream (of type `dtype`) to `file`, which is at `path`; raises DataError."""
    file.write(canonical_header(dtype, stream.shape))
    return _array(stream, dtype, convert, path, file.write)


def checked(stream: ArrayStream, convert: Convert, path: Path) -> Array:
    """The array of a file at `path` that is canonical already; raises DataError for values that `convert` refuses."""
    return _array(stream, stream.dtype, convert, path, len)


def _array(
    stream: ArrayStream, dtype: np.dtype[Any], convert: Convert, path: Path, keep: Callable[[memoryview], object]
) -> Array:
    total = hashlib.sha256(canonical_header(dtype, stream.shape))
    done, spread = 0, _Spread()
    for chunk in stream.chunks():
        try:
            values = convert(chunk)
        except UnfitValuesError as error:
            raise DataError(
                f"sample {done + error.index} of {stream.name} has {error.reason}",
                cause="samples are counted from 0; later ones were not looked at",
                remedy=error.remedy,
            ) from None
        data = np.ascontiguousarray(values, dtype.newbyteorder("<")).data.cast("B")
        total.update(data)
        spread.add(values)
        keep(data)
        done += len(chunk)
    digest = f"sha256:{total.hexdigest()}"
    return Array(path=path, dtype=dtype.name, shape=stream.shape, digest=digest, constant=spread.constant)


class _Spread:
    """Whether all values are one; once they are not, nothing more is compared."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._count = 0
        self._differs = False

    def add(self, values: Samples) -> None:
        if self._first is None:
            self._first = values.flat[0].item()
        self._count += values.size
        self._differs = self._differs or bool((values != self._first).any())

    @property
    def constant(self) -> float | None:
        return None if self._differs or self._count == 1 else self._first
