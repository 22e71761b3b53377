"""What a place must offer to keep blobs in: a local folder and an object store each do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

#: Pieces in which objects are read and written.
CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """A whole object; `modified` is the place's own time, in UTC."""

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Objects by key; a key is made of words and slashes. An object is there whole or not at all.

    Everything raises StorageError when the place fails, DiskFullError when it is full.
    """

    def put(self, key: str, chunks: Iterator[bytes]) -> None:
        """Stores an object so that it survives a power cut; if `chunks` raises, nothing is stored.

        An object already there is replaced in one step by the same bytes: keys come from digests.
        """

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces of a few MiB. Raises MissingBlobError."""

    def size(self, key: str) -> int | None:
        """Bytes, or None if there is no such object."""

    def delete(self, key: str) -> None:
        """Removes the object if it is there."""

    def entries(self) -> Iterator[StoredObject]:
        """Every object, in no particular order."""

    def sweep(self, seconds: float) -> int:
        """Removes what interrupted writers left behind that long ago; returns how many pieces."""
