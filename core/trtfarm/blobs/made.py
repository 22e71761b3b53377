"""Files made on this host that become blobs: hashed one by one, brought to the disk together, and named together.

A blob that is put is a copy, which is synced under another name and renamed. A file that lies on the volume of the
blobs already needs no copy: it gets a second name. So what several jobs made costs few files more than they are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trtfarm.blobs.folder import READ_ONLY
from trtfarm.blobs.objects import CHUNK_BYTES
from trtfarm.blobs.store import Blob, BlobStore, changed
from trtfarm.file_errors import storage_errors

#: To bring a larger file to the disk takes longer than to wait for it, so that is not put off.
_LARGE_BYTES = CHUNK_BYTES

#: Of a file: its device and number there, its bytes, and when it was written to, in nanoseconds.
_Identity = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """A file, which has to stay as it is until its blob is named in a row."""

    blob: Blob
    path: Path
    identity: _Identity
    #: Whether it may be the blob by a second name.
    near: bool
    #: Whether its bytes are on the disk, without which it must not.
    lasting: bool = False


def made_file(blobs: BlobStore, path: Path) -> MadeFile:
    """A file that is to be a blob. One that cannot be it by a second name is stored now, as that may take long.

    Raises DataError if the file changes meanwhile, DiskFullError, StorageError.
    """
    with storage_errors(path):
        blob, identity = _read(path)
        file = MadeFile(blob=blob, path=path, identity=identity, near=blobs.links(identity[0]))
        if not file.near:
            blobs.put_claimed(path, blob.digest)
        elif blob.size >= _LARGE_BYTES:
            return _settled(blobs, file)
    return file


def settled(blobs: BlobStore, files: Iterable[MadeFile]) -> list[MadeFile]:
    """Brings to the disk what is no blob yet, one file for each blob. Raises as `made_file`."""
    return [_settled(blobs, file) for file in {file.blob: file for file in files}.values()]


def place(blobs: BlobStore, files: Sequence[MadeFile]) -> None:
    """Makes blobs of those that are none yet, while clean-up waits; they survive a power cut when this returns.

    Raises as `made_file`.
    """
    missing = [file for file in files if not blobs.has(file.blob)]
    left = blobs.link({file.blob: file.path for file in missing if file.lasting})
    for file in missing:
        if file.blob in left or not file.lasting:
            blobs.put_claimed(file.path, file.blob.digest)


def _settled(blobs: BlobStore, file: MadeFile) -> MadeFile:
    if file.lasting or not file.near or blobs.has(file.blob):
        return file
    with storage_errors(file.path):
        _sync(file)
    return replace(file, lasting=True)


def _read(path: Path) -> tuple[Blob, _Identity]:
    """A file's digest, and what else will tell whether it is still the same.

    Its time becomes now, as a blob's is when it is written: whatever made the file may have set another.
    """
    with path.open("rb") as file:
        os.utime(file.fileno())
        identity = _identity(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if identity != _identity(file.fileno()):
            raise changed(path)
    return Blob(digest=f"sha256:{digest}", size=identity[2]), identity


def _sync(file: MadeFile) -> None:
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _identity(descriptor) != file.identity:
            raise changed(file.path)
        os.fchmod(descriptor, READ_ONLY)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(descriptor: int) -> _Identity:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
