"""The files of this host that uploads arrive in: what has come of one is as long as its file, and nothing else counts.

So a process that dies loses nothing that it had said it had. Several API processes share uploads if they share the
folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trtfarm.blobs.running_digests import RunningDigest
from trtfarm.errors import ConflictError, DiskFullError, NotFoundError, UsageError
from trtfarm.file_errors import storage_errors

_ID = re.compile(r"upl_[0-9a-z]{20}")


class Piece:
    """Where one piece of an upload is written to; `place` is the byte that comes next."""

    def __init__(self, descriptor: int, path: Path, *, first: int, stop: int, digest: RunningDigest | None) -> None:
        self.place = first
        self._descriptor = descriptor
        self._path = path
        self._stop = stop
        self._digest = digest

    @property
    def missing(self) -> int:
        """Bytes that have yet to come."""
        return self._stop - self.place

    def write(self, data: bytes | bytearray) -> None:
        """Raises DiskFullError, StorageError, and UsageError for more than the piece has; what came before stays."""
        if len(data) > self.missing:
            raise UsageError("more bytes came than were announced", remedy=f"go on at {self.place}")
        with storage_errors(self._path), memoryview(data) as view:
            end = self.place + len(view)
            while self.place < end:
                rest = view[self.place - end :]
                written = os.write(self._descriptor, rest)
                self.place += written
                if self._digest is not None:
                    self._digest.update(rest[:written])

    def close(self) -> None:
        os.close(self._descriptor)


class UploadFiles:
    """The files in a folder, by the ids of their uploads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, upload_id: str) -> Path:
        """Checked, although only ids of rows come here: it becomes a path."""
        if not _ID.fullmatch(upload_id):
            raise NotFoundError(f"there is no upload {upload_id[:40]!r}")
        return self._folder / upload_id

    def check_room(self, size: int) -> None:
        """Raises DiskFullError where so many bytes do not fit; makes the folder."""
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._folder).free
        if size > free:
            raise DiskFullError(
                f"there is no room for {size:,} bytes", cause=f"{free:,} are free", remedy="free some disk space"
            )

    def begin(self, upload_id: str) -> None:
        self.path(upload_id).touch()

    def offset(self, upload_id: str) -> int:
        """Bytes that have come. Raises NotFoundError for an upload of another host."""
        try:
            return self.path(upload_id).stat().st_size
        except FileNotFoundError:
            raise NotFoundError(f"upload {upload_id} is on another host", remedy="begin another one here") from None

    def open(self, upload_id: str) -> int:
        """A descriptor to write on with, which nobody else has; the kernel lets go of it with the process.

        Raises NotFoundError, ConflictError while somebody else is writing.
        """
        try:
            descriptor = os.open(self.path(upload_id), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFoundError(f"upload {upload_id} is not here any more", remedy="begin another one") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConflictError(
                f"upload {upload_id} is being written to", remedy="wait until that request has ended"
            ) from None
        return descriptor

    @contextmanager
    def alone(self, upload_id: str) -> Iterator[int]:
        """Keeps everybody from writing while the block lasts; yields how many bytes have come. Raises as `open`."""
        descriptor = self.open(upload_id)
        try:
            yield os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def remove(self, upload_id: str) -> None:
        self.path(upload_id).unlink(missing_ok=True)

    def all(self) -> list[str]:
        """The ids of uploads that have a file here."""
        return [path.name for path in self._folder.glob("upl_*") if _ID.fullmatch(path.name)]
