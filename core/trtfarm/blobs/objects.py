"""Objects by key, in whatever obstore reaches: a local folder, S3 and what speaks like it, Google Cloud, Azure, memory.

obstore runs threads of its own, which a fork leaves behind: a process that forks without exec must not use a store in
both halves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Store

from trtfarm.blobs.folder import STAGING, Folder
from trtfarm.errors import DiskFullError, MissingBlobError, StorageError, UsageError
from trtfarm.file_errors import FULL

#: Pieces in which objects are read and written. Reading in ranges of this size is five times faster on a local folder
#: than obstore's stream, which hands on 8 KiB at a time.
CHUNK_BYTES = 4 * 1024 * 1024
#: Parts of an upload that are in memory at once, each of obstore's 5 MiB.
_PARTS_AT_ONCE = 4
#: How obstore's texts end that come from the operating system.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
#: What an S3 server says of a request that it refuses, within obstore's text.
_S3_ERROR = re.compile(r"<Code>([^<]+)</Code>\s*<Message>([^<]+)</Message>")


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """A whole object; `modified` is the place's own time, in UTC."""

    key: str
    size: int
    modified: datetime


class Objects:
    """Objects by key; a key is made of words and slashes. An object is there whole or not at all.

    Everything raises StorageError when the place fails, DiskFullError when it is full.

    Uploads are never conditional: one in parts cannot be, and one that can would hold the whole object in memory. None
    is needed: two writers of one key write the same bytes, and each kind of store replaces an object in one step.
    """

    def __init__(self, open_store: Callable[[], Store], name: str, folder: Folder | None = None) -> None:
        self._open_store = open_store
        self._name = name
        self._folder = folder

    @classmethod
    def in_folder(cls, root: Path) -> Objects:
        """Objects as files below a local folder, which is made when it is first needed."""
        folder = Folder(root)

        def open_store() -> Store:
            folder.make()
            return LocalStore(root)

        return cls(open_store, str(root), folder)

    @classmethod
    def at(cls, url: str) -> Objects:
        """Objects below a URL such as s3://bucket/folder.

        Credentials and region come from the environment, by the names the cloud's own tools use. Raises UsageError.
        """
        try:
            store = from_url(url)
        except (BaseError, ValueError) as error:
            raise UsageError(
                f"{url} cannot be used as a blob store", cause=_told(error), remedy="check the URL"
            ) from error
        return cls(lambda: store, url)

    def put(self, key: str, chunks: Iterator[bytes]) -> None:
        """Stores an object so that it survives a power cut; if `chunks` raises, nothing is stored.

        An object already there is replaced in one step by the same bytes: keys come from digests.
        """
        with self._errors():
            if self._folder is None:
                self._upload(key, chunks)
            else:
                self._put_durably(self._folder, key, chunks)

    def take(self, key: str, path: Path) -> bool:
        """Renames a file to be an object, as safely as `put` makes one; False where it lies on another volume."""
        if self._folder is None:
            return False
        with self._errors(), self._folder.staged() as staged:
            if not self._folder.rename_here(path, staged):
                return False
            self._settle(self._folder, staged, key)
        return True

    def links(self, device: int) -> bool:
        """Whether `link` may make objects of the files of a device."""
        with self._errors():
            return self._folder is not None and self._folder.links(device)

    def link(self, files: Mapping[str, Path]) -> list[str]:
        """Gives files that are on the disk the names of objects, all in one go; they keep their own.

        Returns the keys for which that does not go: those are to be `put`.
        """
        if self._folder is None:
            return list(files)
        with self._errors():
            linked = [key for key, path in files.items() if self._folder.link(path, key)]
            self._folder.keep(linked)
        return [key for key in files if key not in linked]

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces of a few MiB. Raises MissingBlobError."""
        size = self.size(key)
        if size is None:
            raise MissingBlobError(
                f"there is no object {key} in {self._name}",
                cause="it was removed, or TRTFARM_BLOB_URL named another place when it was stored",
                remedy="submit again: what is missing is made anew",
            )
        for start in range(0, size, CHUNK_BYTES):
            with self._errors():
                piece = bytes(obstore.get_range(self._store, key, start=start, length=min(CHUNK_BYTES, size - start)))
            yield piece

    def size(self, key: str) -> int | None:
        """Bytes, or None if there is no such object."""
        with self._errors():
            if self._folder is not None:
                return self._folder.size(key)
            try:
                return obstore.head(self._store, key)["size"]
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        """Removes the object if it is there."""
        with self._errors():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def entries(self) -> Iterator[StoredObject]:
        """Every object, in no particular order."""
        with self._errors():
            for page in obstore.list(self._store):
                for found in page:
                    if not found["path"].startswith(f"{STAGING}/"):
                        yield StoredObject(key=found["path"], size=found["size"], modified=found["last_modified"])

    def sweep(self, seconds: float) -> int:
        """Removes what interrupted writers left behind that long ago; returns how many pieces.

        In a bucket nothing: uploads that were broken off are not listed there; a rule of the bucket's own ends them.
        """
        with self._errors():
            return self._folder.sweep(seconds) if self._folder else 0

    @cached_property
    def _store(self) -> Store:
        return self._open_store()

    def _put_durably(self, folder: Folder, key: str, chunks: Iterator[bytes]) -> None:
        """Beside the objects first; the key stands for the bytes only when they are on the disk."""
        with folder.staged() as staged:
            self._upload(staged, chunks)
            self._settle(folder, staged, key)

    def _settle(self, folder: Folder, staged: str, key: str) -> None:
        folder.settle(staged, key)
        # It replaces what is there: that mends an object that lost its tail, and some file systems have no hard
        # links, which a rename to a free name alone would need.
        obstore.rename(self._store, staged, key)
        folder.keep([key])

    def _upload(self, key: str, chunks: Iterator[bytes]) -> None:
        first, second = next(chunks, b""), next(chunks, None)
        if second is None:
            # One request; also, an upload in parts must have at least one.
            obstore.put(self._store, key, first, max_concurrency=_PARTS_AT_ONCE)
        else:
            obstore.put(self._store, key, chain([first, second], chunks), max_concurrency=_PARTS_AT_ONCE)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> StorageError:
        number = _OS_ERROR.search(str(error))
        if getattr(error, "errno", None) in FULL or (number and int(number[1]) in FULL):
            return DiskFullError(
                f"no space left for {self._name}", cause=_told(error), remedy="free some disk space and try again"
            )
        return StorageError(
            f"the blob store {self._name} cannot be read or written",
            cause=_told(error),
            remedy="check that it is reachable, and that reading and writing there is allowed",
        )


def _told(error: Exception) -> str:
    """The server's own words where it said any, else the first line of obstore's."""
    text = str(error)
    found = _S3_ERROR.search(text)
    return f"{found[1]}: {found[2]}" if found else text.partition("\n")[0]
