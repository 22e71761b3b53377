"""Objects in an object store: S3 and what speaks like it, Google Cloud Storage, Azure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore as Store
from obstore.store import from_url

from trtfarm.blobs.objects import CHUNK_BYTES, StoredObject
from trtfarm.errors import MissingBlobError, StorageError, UsageError

#: Parts of an upload that are in memory at once, each of obstore's 5 MiB.
_PARTS_AT_ONCE = 4


class Bucket:
    """An ObjectStore below a URL such as s3://bucket/folder.

    Uploads in parts cannot be conditional, and a conditional one would hold the whole object in memory. None is needed:
    two writers of one key write the same bytes, and the store replaces an object in one step.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    @classmethod
    def at(cls, url: str) -> Bucket:
        """Credentials and region come from the environment, by the names the cloud's own tools use."""
        try:
            return cls(from_url(url), url)
        except (BaseError, ValueError) as error:
            raise UsageError(
                f"{url} cannot be used as a blob store", cause=_first_line(error), remedy="check the URL"
            ) from error

    def put(self, key: str, chunks: Iterator[bytes]) -> None:
        first, second = next(chunks, b""), next(chunks, None)
        with self._errors():
            if second is None:
                # One request; also, an upload in parts must have at least one.
                obstore.put(self._store, key, first)
            else:
                obstore.put(self._store, key, chain([first, second], chunks), max_concurrency=_PARTS_AT_ONCE)

    def read(self, key: str) -> Iterator[bytes]:
        with self._errors():
            try:
                found = obstore.get(self._store, key)
            except FileNotFoundError as error:
                raise MissingBlobError(f"there is no object {key} in {self._name}") from error
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    def size(self, key: str) -> int | None:
        with self._errors():
            try:
                return obstore.head(self._store, key)["size"]
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        with self._errors():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def entries(self) -> Iterator[StoredObject]:
        with self._errors():
            for page in obstore.list(self._store):
                for found in page:
                    yield StoredObject(key=found["path"], size=found["size"], modified=found["last_modified"])

    def sweep(self, seconds: float) -> int:  # noqa: ARG002 - see the docstring
        """Nothing: uploads that were broken off are not listed as objects; a lifecycle rule of the bucket ends them."""
        return 0

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, PermissionError) as error:
            raise StorageError(
                f"the blob store {self._name} did not do what was asked",
                cause=_first_line(error),
                remedy="check that it is reachable and that the credentials allow reading and writing",
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
