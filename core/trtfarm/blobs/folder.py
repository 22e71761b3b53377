"""Objects as files below a local folder.

Not obstore's LocalStore: it renames a finished file into place without fsync, so after a power cut a name could stand
for zeros, and its conditional create takes the whole object in memory. Here the order is temporary file, fsync, rename,
fsync of the folder; only then does a row name the blob.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

from trtfarm.blobs.objects import CHUNK_BYTES, StoredObject
from trtfarm.errors import DiskFullError, MissingBlobError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: Nobody changes a blob by accident through its path.
_READ_ONLY = 0o444


class Folder:
    """An ObjectStore in a folder, with `tmp/` beside the objects: on the same volume, or a rename would copy."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / "tmp"

    def put(self, key: str, chunks: Iterator[bytes]) -> None:
        target = self._root / key
        with storage_errors(target):
            _make_durable_folder(target.parent)
            self._temporary.mkdir(exist_ok=True)
            # A rename, not a link that fails on an existing name: it also mends an object that lost its tail, and
            # some file systems have no hard links.
            write_durably(target, chunks, temporary=self._temporary, mode=_READ_ONLY)

    def read(self, key: str) -> Iterator[bytes]:
        path = self._root / key
        with storage_errors(path):
            try:
                file = path.open("rb")
            except FileNotFoundError as error:
                raise MissingBlobError(f"there is no object {key} in {self._root}") from error
            with file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

    def size(self, key: str) -> int | None:
        path = self._root / key
        with storage_errors(path):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        path = self._root / key
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def entries(self) -> Iterator[StoredObject]:
        with storage_errors(self._root):
            for path in self._root.rglob("*"):
                if path.is_file() and self._temporary not in path.parents:
                    facts = path.stat()
                    yield StoredObject(
                        key=path.relative_to(self._root).as_posix(),
                        size=facts.st_size,
                        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
                    )

    def sweep(self, seconds: float) -> int:
        with storage_errors(self._temporary):
            return sum(_removed_if_older(path, time.time() - seconds) for path in self._temporary.glob("*"))


def _removed_if_older(path: Path, moment: float) -> bool:
    try:
        if path.stat().st_mtime >= moment:
            return False
        path.unlink()
    except FileNotFoundError:  # its writer has just finished
        return False
    return True


def write_durably(target: Path, chunks: Iterator[bytes], *, temporary: Path, mode: int) -> None:
    """Writes `target` through a file in the folder `temporary`, on the same volume, and syncs file and folder.

    If `chunks` or the disk fails, the temporary file is removed and `target` is as it was.
    """
    descriptor, name = mkstemp(dir=temporary, prefix=f".{target.name}-")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                _write_all(file.fileno(), chunk)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Tells errors of the file system in the farm's words."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> StorageError:
    """What an error of the file system at `path` is in the farm's words."""
    if error.errno in _FULL:
        return DiskFullError(
            f"no space left for {path}", cause=error.strerror, remedy="free some disk space and try again"
        )
    return StorageError(
        f"{path} cannot be read or written", cause=str(error), remedy="check the disk and the permissions"
    )


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_durable_folder(folder: Path) -> None:
    """Makes a folder and its parents; a new name is safe only when the folder it stands in is synced."""
    missing = [folder]
    while not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir()
            _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
