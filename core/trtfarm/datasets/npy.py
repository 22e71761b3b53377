"""The `.npy` format, read with suspicion: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile, Reader, damaged
from trtfarm.datasets.kinds import NPY_MAGIC
from trtfarm.datasets.streams import ArrayStream, check_size
from trtfarm.errors import DataError

# By version of the format, major and minor.
_LENGTH_BYTES = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}
_DESCR = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_KEYS = {"descr", "fortran_order", "shape"}
_LARGEST_SIZE = 1 << 63
_ALIGNMENT = 64
# numpy leaves room for the first dimension to grow to this many digits without moving the data.
_GROWTH_DIGITS = 21


@dataclass(frozen=True, kw_only=True)
class NpyHeader:
    """Element type in the file's byte order, shape with samples first, and the header's text as it stands."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    raw: bytes


def read_header(file: Reader) -> NpyHeader:
    """Reads a header and leaves the file at the first element; raises DataError for all that is not plain numbers."""
    name = file.name
    start = file.read(len(NPY_MAGIC) + 2)
    if not start.startswith(NPY_MAGIC):
        raise DataError(f"{name} is not a .npy file", remedy="write it with numpy.save")
    length_bytes = _LENGTH_BYTES.get(start[len(NPY_MAGIC) :])
    if length_bytes is None:
        raise damaged(name, "the version of its format is unknown")
    length = file.read(length_bytes)
    size = int.from_bytes(length, "little")
    if len(length) < length_bytes or size > limits.HEADER_BYTES:
        raise damaged(name, f"its header would have {size:,} bytes, and {limits.HEADER_BYTES:,} are allowed")
    text = file.read(size)
    if len(text) < size:
        raise damaged(name, "it ends within its header")
    dtype, shape = _parsed(text, name)
    return NpyHeader(dtype=dtype, shape=shape, raw=start + length + text)


def canonical_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The bytes before the elements in the farm's own files: version 1.0, C order, little-endian; numpy's own form."""
    descr = np.lib.format.dtype_to_descr(dtype.newbyteorder("<"))
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (_GROWTH_DIGITS - len(repr(shape[0])))
    text += " " * (-(len(NPY_MAGIC) + 4 + len(text) + 1) % _ALIGNMENT) + "\n"
    return NPY_MAGIC + b"\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1")


@contextmanager
def open_npy(file: DataFile) -> Iterator[ArrayStream]:
    """The array of a `.npy` file; raises DataError."""
    with file.open() as raw:
        yield stream_of(Reader(str(file), raw))


def stream_of(reader: Reader) -> ArrayStream:
    """The array whose header the reader stands at."""
    header = read_header(reader)
    check_size(reader.name, header.shape, header.dtype)
    return ArrayStream(
        reader=reader,
        dtype=header.dtype,
        shape=header.shape,
        is_canonical=header.raw == canonical_header(header.dtype, header.shape),
    )


def _is_size(size: object) -> bool:
    return type(size) is int and 0 <= size < _LARGEST_SIZE


def _parsed(text: bytes, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    try:
        header = ast.literal_eval(text.decode("latin1"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise damaged(name, "its header is not what numpy writes") from None
    if not isinstance(header, dict) or set(header) != _KEYS:
        raise damaged(name, "its header lacks descr, fortran_order or shape")
    descr, shape = header["descr"], header["shape"]
    if not isinstance(descr, str) or not _DESCR.fullmatch(descr):
        raise DataError(
            f"{name} holds elements of type {descr if isinstance(descr, str) else type(descr).__name__:.80}",
            cause="pickled objects, text, structured and complex types are not read",
            remedy="save it as a plain array of numbers: numpy.save(path, array.astype('float32'))",
        )
    if not isinstance(shape, tuple) or not all(map(_is_size, shape)):
        raise damaged(name, "its shape is none of whole numbers")
    if not shape:
        raise DataError(f"{name} is a single number", remedy="the first axis must be the samples")
    if header["fortran_order"] is not False:
        raise DataError(
            f"{name} is stored column by column (Fortran order)",
            cause="samples cannot be read one after another then",
            remedy="save it as numpy.save(path, numpy.ascontiguousarray(array))",
        )
    return np.dtype(descr), shape
