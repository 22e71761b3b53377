"""Files of data: opened and read so that everything that can go wrong with them is a DataError."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from zipfile import BadZipFile

from trtfarm.datasets import limits
from trtfarm.errors import DataError
from trtfarm.file_errors import remedy_for
from trtfarm.regular_files import open_below, open_regular


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
                remedy=remedy_for(
                    error, "check that it is a readable file" + (", and not a link" if self.root else "")
                ),
            ) from error

    def size(self) -> int:
        """Bytes; raises DataError."""
        with self.open() as file:
            return os.fstat(file.fileno()).st_size

    def digest(self) -> str:
        """The digest of its bytes, read in pieces; raises DataError."""
        total = hashlib.sha256()
        with self.open() as file:
            reader = Reader(str(self), file)
            while piece := reader.read(limits.CHUNK_BYTES):
                total.update(piece)
        return f"sha256:{total.hexdigest()}"


@contextmanager
def looking_for_data() -> Iterator[None]:
    """Tells errors of looking for files and into folders, as of names that are too long, as a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be looked for",
            cause=error.strerror,
            remedy=remedy_for(error, "check the names of data and folders"),
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
            # In pieces: a file that claims more than it has must not cost the memory that it claims.
            while size and (piece := self._file.read(min(size, limits.CHUNK_BYTES))):
                pieces.append(piece)
                size -= len(piece)
        except (OSError, EOFError, zlib.error, BadZipFile) as error:
            raise damaged(self.name, f"it cannot be read or unpacked: {error}") from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def member_of(file: DataFile, names: Collection[str], member: str | None) -> str:
    """The array that is meant, of those in a file; with no name, its only one. Raises DataError."""
    if member is None and len(names) == 1:
        return next(iter(names))
    if member is None or member not in names:
        raise DataError(
            f"{file} has no array {member!r}" if member else f"{file} has several arrays",
            cause="it has " + ", ".join(f"{name:.80}" for name in sorted(names)[:20]),
            remedy="name one of them (member = … in data.toml)",
        )
    return member


def damaged(name: str, cause: str) -> DataError:
    return DataError(f"{name} is cut short or damaged", cause=cause, remedy="write or copy it again")


def check_ratio(name: str, *, packed: int, unpacked: int) -> None:
    """Raises DataError for a decompression bomb; sizes in bytes."""
    if unpacked > limits.UNPACKED_BYTES and unpacked > packed * limits.UNPACKED_RATIO:
        raise DataError(
            f"{name} would unpack from {packed:,} to {unpacked:,} bytes",
            cause="that is what a decompression bomb looks like",
            remedy="hand in the data as it is, as .npy",
        )
