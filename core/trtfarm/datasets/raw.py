"""Elements and nothing else in a file, as trtexec's --loadInputs takes them: what they are, only the model tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from trtfarm.datasets.files import DataFile, Reader
from trtfarm.datasets.streams import ArrayStream, check_size
from trtfarm.datasets.values import input_dtype
from trtfarm.errors import DataError
from trtfarm.models.summary import TensorType


@contextmanager
def open_raw(file: DataFile, tensor: TensorType) -> Iterator[ArrayStream]:
    """As many samples of an input, little-endian, as the file holds; raises DataError."""
    dtype, sizes = input_dtype(tensor), (tensor.dims or ())[1:]
    rest = [size for size in sizes if isinstance(size, int)]
    if not tensor.dims or len(rest) < len(sizes):
        raise DataError(
            f"{file} does not tell its shape",
            cause=f"nor does the model, whose input is {tensor}",
            remedy=f"make an array of it: numpy.save(path, numpy.fromfile(file, {dtype.name!r}).reshape(samples, …))",
        )
    size, sample_bytes = file.size(), math.prod(rest) * dtype.itemsize
    if not sample_bytes or size % sample_bytes:
        raise DataError(
            f"{file} has {size:,} bytes",
            cause=f"a sample of the model's input {tensor} takes {sample_bytes:,}",
            remedy="hand in whole samples of that type; data of another type as .npy, with dtype in data.toml",
        )
    shape = (size // sample_bytes, *rest)
    check_size(str(file), shape, dtype)
    with file.open() as raw:
        yield ArrayStream(reader=Reader(str(file), raw), dtype=dtype.newbyteorder("<"), shape=shape)
