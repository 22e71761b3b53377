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
    done = 0
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
        keep(data)
        done += len(chunk)
    return Array(path=path, dtype=dtype.name, shape=stream.shape, digest=f"sha256:{total.hexdigest()}")
