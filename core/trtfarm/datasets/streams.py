"""Arrays read from their files in pieces of whole samples, whatever the file format; nothing is loaded whole."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from trtfarm.datasets import limits
from trtfarm.errors import DataError
from trtfarm.regular_files import open_below, open_regular

Samples = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file to read. One that was named by other data, not by the user, has a `root` that it must lie below."""

    path: Path
    root: Path | None = None

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        """Raises DataError; below a root no link is followed."""
        try:
            if self.root is None:
                return open_regular(self.path)
            return open_below(self.root, self.path.relative_to(self.root).parts)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read",
                cause=error.strerror,
                remedy="check that it is a readable file" + (", and not a link" if self.root else ""),
            ) from error


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Reader:
    """Reads a file, perhaps through a decompressor, and turns everything that can go wrong into DataError."""

    def __init__(self, name: str, file: _Readable) -> None:
        self.name = name
        self._file = file

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end."""
        pieces: list[bytes] = []
        try:
            while size and (piece := self._file.read(size)):
                pieces.append(piece)
                size -= len(piece)
        except (OSError, EOFError, zlib.error, BadZipFile) as error:
            raise damaged(self.name, f"it cannot be read or unpacked: {error}") from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(frozen=True, kw_only=True)
class ArrayStream:
    """An array that is about to be read: the reader stands at its first element. `shape` has the samples first.

    `is_canonical` says that the file is, byte for byte, what the farm would write for it.
    """

    reader: Reader
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_canonical: bool = False

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
        if self.reader.read(1):
            raise damaged(self.name, f"there is more in it than its shape {list(self.shape)} says")


def damaged(name: str, cause: str) -> DataError:
    return DataError(f"{name} is cut short or damaged", cause=cause, remedy="write or copy it again")


def check_size(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises DataError for an array that is empty or too large to be read."""
    if 0 in shape:
        raise DataError(f"{name} is empty: its shape is {list(shape)}", remedy="put samples in it")
    sample_bytes = math.prod(shape[1:]) * dtype.itemsize
    if sample_bytes > limits.SAMPLE_BYTES or sample_bytes * shape[0] > limits.ARRAY_BYTES:
        raise DataError(
            f"{name} is too large: {list(shape)} {dtype}",
            cause=f"a sample may have {limits.SAMPLE_BYTES:,} bytes and an array {limits.ARRAY_BYTES:,}",
        )


def check_ratio(name: str, *, packed: int, unpacked: int) -> None:
    """Raises DataError for a decompression bomb; sizes in bytes."""
    if unpacked > limits.UNPACKED_BYTES and unpacked > packed * limits.UNPACKED_RATIO:
        raise DataError(
            f"{name} would unpack from {packed:,} to {unpacked:,} bytes",
            cause="that is what a decompression bomb looks like",
            remedy="hand in the data as it is, as .npy",
        )
