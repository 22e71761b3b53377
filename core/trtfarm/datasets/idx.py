"""The idx format of the MNIST files (http://yann.lecun.com/exdb/mnist/), plain or gzipped.

Two zero bytes, a type, the number of dimensions, each dimension as a big-endian uint32, then the elements.
"""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from trtfarm.datasets.files import DataFile, Reader, check_ratio, damaged
from trtfarm.datasets.kinds import GZIP_MAGIC, IDX_HEAD, IDX_TYPES, is_idx
from trtfarm.datasets.streams import ArrayStream, check_size


@contextmanager
def open_idx(file: DataFile) -> Iterator[ArrayStream]:
    """The array of an idx file; raises DataError."""
    with file.open() as raw:
        packed = raw.seek(0, os.SEEK_END)
        raw.seek(0)
        is_packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        stream = _stream(Reader(str(file), gzip.GzipFile(fileobj=raw) if is_packed else raw))
        if is_packed:
            check_ratio(stream.name, packed=packed, unpacked=math.prod(stream.shape) * stream.dtype.itemsize)
        yield stream


def _stream(reader: Reader) -> ArrayStream:
    head = reader.read(IDX_HEAD)
    if not is_idx(head) or head.startswith(GZIP_MAGIC):
        raise damaged(reader.name, "it does not start as an idx file does")
    dims = reader.read(4 * head[3])
    if not dims or len(dims) < 4 * head[3]:
        raise damaged(reader.name, "it ends within its header")
    shape = tuple(int.from_bytes(dims[at : at + 4], "big") for at in range(0, len(dims), 4))
    dtype = np.dtype(IDX_TYPES[head[2]])
    check_size(reader.name, shape, dtype)
    return ArrayStream(reader=reader, dtype=dtype, shape=shape)
