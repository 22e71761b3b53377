"""Blobs by digest: verified when written and when read, whatever place they are kept in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trtfarm.blobs.objects import CHUNK_BYTES, Objects
from trtfarm.digests import digest_of_bytes, digest_of_file, is_digest
from trtfarm.durable_files import write_whole
from trtfarm.errors import CorruptBlobError, DataError, MissingBlobError, UsageError
from trtfarm.file_errors import storage_errors

_FAN_OUT = 2
#: Permissions of a file handed out.
_ORDINARY = 0o644


@dataclass(frozen=True, kw_only=True)
class Blob:
    """The name of some bytes: `sha256:…` and how many they are."""

    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class StoredBlob:
    """A blob found in the store, and when it was written (UTC)."""

    blob: Blob
    written: datetime


class BlobStore:
    """Blobs in a store of objects, under `sha256/<first two digits>/<the others>`.

    A blob is never changed. One whose bytes no longer match its digest is removed when that is noticed, because its
    name says how to make it anew: the next put of the same content mends the store.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put_file(self, path: Path) -> Blob:
        """Stores a file's content, unless it is there already; memory stays at a few MiB.

        Raises DataError if the file changes meanwhile, DiskFullError, StorageError.
        """
        with storage_errors(path):
            with path.open("rb") as file:
                start = file.read(CHUNK_BYTES)
            if len(start) < CHUNK_BYTES:  # that is all of it, read once
                return self.put_bytes(start)
            digest, size = digest_of_file(path), path.stat().st_size
        blob = Blob(digest=digest, size=size)
        if not self.has(blob):
            self._objects.put(_key(digest), _matching(_chunks_of_file(path), digest, changed(path)))
        return blob

    def put_claimed(self, path: Path, digest: str) -> Blob:
        """Stores a file that is said to have a digest, and reads it once. Raises DataError if it has another."""
        with storage_errors(path):
            blob = Blob(digest=digest, size=path.stat().st_size)
        if not self.has(blob):
            self._objects.put(_key(digest), _matching(_chunks_of_file(path), digest, other_bytes(digest)))
        return blob

    def take(self, path: Path, blob: Blob) -> None:
        """Makes a file that was hashed while it was written a blob, without reading it where that can be.

        It is gone from where it was, whatever becomes of it.
        """
        if not self.has(blob) and not self._objects.take(_key(blob.digest), path):
            self.put_claimed(path, blob.digest)
        path.unlink(missing_ok=True)

    def links(self, device: int) -> bool:
        """Whether `link` may make blobs of the files of a device."""
        return self._objects.links(device)

    def link(self, files: Mapping[Blob, Path]) -> set[Blob]:
        """Makes files blobs that were hashed and brought to the disk, by a second name; they are not read.

        Returns those for which that does not go after all.
        """
        keys = {_key(blob.digest): blob for blob in files}
        return {keys[key] for key in self._objects.link({_key(blob.digest): path for blob, path in files.items()})}

    def put_checked(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        """Stores bytes as they come; nothing if `chunks` raises, as it has to at its end if they are not the blob's."""
        self._objects.put(_key(blob.digest), chunks)

    def put_bytes(self, data: bytes) -> Blob:
        blob = Blob(digest=digest_of_bytes(data), size=len(data))
        if not self.has(blob):
            self._objects.put(_key(blob.digest), iter([data]))
        return blob

    def has(self, blob: Blob) -> bool:
        """Whether the blob is there with its size.

        That much is asked before a cached result counts as a hit. Its bytes are not read: hashing an engine of a GiB
        takes a second, a hit must take less, and whoever uses the blob verifies it anyway and turns the hit into a
        repair.
        """
        return self._objects.size(_key(blob.digest)) == blob.size

    def missing(self, blobs: Iterable[Blob]) -> list[Blob]:
        """Those that are not there whole; empty if a result that names them is complete."""
        return [blob for blob in blobs if not self.has(blob)]

    def size(self, digest: str) -> int | None:
        """Bytes of the blob, or None if it is not there."""
        return self._objects.size(_key(digest))

    def read(self, digest: str) -> bytes:
        """The verified content of a small blob. Raises MissingBlobError, CorruptBlobError."""
        return b"".join(self.stream(digest))

    def stream(self, digest: str) -> Iterator[bytes]:
        """The content in pieces; only when the last one has come without an error is any of them to be trusted.

        Raises MissingBlobError, and CorruptBlobError at the end if the bytes do not match.
        """
        sha256 = hashlib.sha256()
        for chunk in self._objects.read(_key(digest)):
            sha256.update(chunk)
            yield chunk
        if f"sha256:{sha256.hexdigest()}" != digest:
            self._drop_if_corrupt(digest)
            raise CorruptBlobError(
                f"the stored bytes of {digest} do not match it",
                cause="the disk damaged them, or something else wrote there",
                remedy="they were removed; submit again, and what is missing is made anew",
            )

    def materialize(self, digest: str, destination: Path, *, lasting: bool = False) -> Path:
        """Writes the verified content to a new file; a file of that name appears whole or not at all.

        One that is `lasting` is synced: most are copies for a job or a request.

        Raises MissingBlobError, CorruptBlobError, DiskFullError.
        """
        with storage_errors(destination):
            write_whole(destination, self.stream(digest), temporary=destination.parent, mode=_ORDINARY, lasting=lasting)
        return destination

    def verify(self, digest: str) -> bool:
        """Reads the whole blob; False if it is missing or was corrupt, and then it is gone."""
        try:
            for _ in self.stream(digest):
                pass
        except (MissingBlobError, CorruptBlobError):
            return False
        return True

    def intact(self, digest: str) -> bool:
        """Reads the whole blob; False if it is missing or corrupt. Removes nothing."""
        try:
            return self._digest(digest) == digest
        except MissingBlobError:
            return False

    def delete(self, digest: str) -> None:
        """Removes a blob that no row names any more."""
        self._objects.delete(_key(digest))

    def blobs(self) -> Iterator[StoredBlob]:
        """Every blob in the store, in no particular order; what is not a blob is passed over."""
        for found in self._objects.entries():
            digest = found.key.replace("/", ":", 1).replace("/", "")
            if is_digest(digest):
                yield StoredBlob(blob=Blob(digest=digest, size=found.size), written=found.modified)

    def sweep(self, seconds: float) -> int:
        """Removes what writers that died left behind that long ago; returns how many pieces."""
        return self._objects.sweep(seconds)

    def _drop_if_corrupt(self, digest: str) -> None:
        """Reads again before removing: another process may have mended the blob since."""
        if self._digest(digest) != digest:
            self._objects.delete(_key(digest))

    def _digest(self, digest: str) -> str:
        """What the bytes under a digest really have for one."""
        sha256 = hashlib.sha256()
        for chunk in self._objects.read(_key(digest)):
            sha256.update(chunk)
        return f"sha256:{sha256.hexdigest()}"


def other_bytes(digest: str) -> DataError:
    """The error for a file that is not what it was said to be."""
    return DataError(f"the bytes are not those of {digest}", remedy="send them again, from the beginning")


def changed(path: Path) -> DataError:
    """The error for a file that somebody writes to while it is read."""
    return DataError(f"{path} changed while it was being stored", remedy="wait until it is written, and try again")


def _key(digest: str) -> str:
    """Checked, because a digest may come from outside and becomes a path here."""
    if not is_digest(digest):
        raise UsageError(f"{digest!r} is not a digest", remedy="write it as sha256: and 64 hex digits")
    digits = digest.removeprefix("sha256:")
    return f"sha256/{digits[:_FAN_OUT]}/{digits[_FAN_OUT:]}"


def _chunks_of_file(path: Path) -> Iterator[bytes]:
    with storage_errors(path), path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _matching(chunks: Iterator[bytes], digest: str, error: DataError) -> Iterator[bytes]:
    """Passes the chunks on and raises at the end if they were not what the digest was taken from."""
    sha256 = hashlib.sha256()
    for chunk in chunks:
        sha256.update(chunk)
        yield chunk
    if f"sha256:{sha256.hexdigest()}" != digest:
        raise error
