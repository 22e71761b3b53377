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

from trtfarm.datasets.streams import ArrayStream, DataFile, Reader, check_ratio, check_size, damaged

GZIP_MAGIC = b"\x1f\x8b"
#: By the third byte of the file.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_HEAD = 4


def is_idx(head: bytes) -> bool:
    """Whether a file that starts so may be an idx file, perhaps gzipped."""
    return head.startswith(GZIP_MAGIC) or (len(head) >= _HEAD and head[:2] == b"\0\0" and head[2] in _TYPES)


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
    head = reader.read(_HEAD)
    if not is_idx(head) or head.startswith(GZIP_MAGIC):
        raise damaged(reader.name, "it does not start as an idx file does")
    dims = reader.read(4 * head[3])
    if not dims or len(dims) < 4 * head[3]:
        raise damaged(reader.name, "it ends within its header")
    shape = tuple(int.from_bytes(dims[at : at + 4], "big") for at in range(0, len(dims), 4))
    dtype = np.dtype(_TYPES[head[2]])
    check_size(reader.name, shape, dtype)
    return ArrayStream(reader=reader, dtype=dtype, shape=shape)
