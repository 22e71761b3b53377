"""The arrays in Polygraphy's files of batches, as streams."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from trtfarm.datasets import limits
from trtfarm.datasets.feeds import EncodedArray, feeds_of
from trtfarm.datasets.files import DataFile, Reader, damaged, member_of
from trtfarm.datasets.npy import NpyHeader, read_header
from trtfarm.datasets.streams import ArrayStream, check_size
from trtfarm.errors import DataError

#: How a zip archive begins in base64, which is what the first releases of Polygraphy put there.
_ZIP = b"UEs"


@contextmanager
def open_feeds(file: DataFile, member: str | None = None) -> Iterator[ArrayStream]:
    """One array of all batches, or the only one; raises DataError."""
    found = feeds_of(file)
    name = member_of(file, found, member)
    texts = found[name]
    headers = [_header(text, name) for text in texts]
    shape, dtype = headers[0].shape, headers[0].dtype
    for number, header in enumerate(headers):
        check_size(f"{name} in batch {number} of {file}", header.shape, header.dtype)
        if (header.shape[1:], header.dtype) != (shape[1:], dtype):
            raise DataError(
                f"{name} is {list(header.shape)} {header.dtype} in batch {number} of {file}, "
                f"and {list(shape)} {dtype} in the first",
                remedy="batches may differ in their number of samples alone",
            )
    shape = (sum(header.shape[0] for header in headers), *shape[1:])
    reader = Reader(f"{name} in {file}", _Joined(_elements(texts, headers, name)))
    check_size(reader.name, shape, dtype)
    yield ArrayStream(reader=reader, dtype=dtype, shape=shape)


class _Decoded:
    """An array's bytes as a file."""

    def __init__(self, text: EncodedArray, raw: BinaryIO) -> None:
        raw.seek(text.start)
        self._reader = Reader(str(text.file), raw)
        self._left = text.end - text.start
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest and self._left:
            # Whole groups of four characters, and no more than are asked for: of most arrays only the header is.
            piece = self._reader.read(min(self._left, limits.CHUNK_BYTES, -(-size // 3) * 4))
            if not piece:
                raise damaged(self._reader.name, "it became shorter while it was read")
            self._left -= len(piece)
            try:
                self._rest = binascii.a2b_base64(piece, strict_mode=True)
            except ValueError as error:
                raise damaged(self._reader.name, f"an array in it is not base64: {error}") from error
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


class _Joined:
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def _header(text: EncodedArray, name: str) -> NpyHeader:
    with text.file.open() as raw:
        return _npy(text, name, raw)[0]


def _npy(text: EncodedArray, name: str, raw: BinaryIO) -> tuple[NpyHeader, Reader]:
    """An array's header, and a reader that stands at its first element."""
    reader = Reader(f"{name} in {text.file}", _Decoded(text, raw))
    raw.seek(text.start)
    if Reader(reader.name, raw).read(len(_ZIP)) == _ZIP:
        raise DataError(
            f"{reader.name} is packed as old releases of Polygraphy did",
            remedy="write it again with a newer one: polygraphy.json.save_json(polygraphy.json.load_json(path), path)",
        )
    raw.seek(text.start)
    return read_header(reader), reader


def _elements(texts: Sequence[EncodedArray], headers: Sequence[NpyHeader], name: str) -> Iterator[bytes]:
    """The elements of all batches, which have to be what their headers told before."""
    for text, header in zip(texts, headers, strict=True):
        with text.file.open() as raw:
            found, reader = _npy(text, name, raw)
            if found.raw != header.raw:
                raise damaged(str(text.file), "it changed while it was read")
            stream = ArrayStream(reader=reader, dtype=header.dtype, shape=header.shape)
            for chunk in stream.chunks():
                yield chunk.astype(header.dtype, copy=False).tobytes()
