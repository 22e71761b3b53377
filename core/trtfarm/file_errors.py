"""Errors of the file system in the farm's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from trtfarm.errors import DiskFullError, NotFoundError, StorageError, UnreadableError

#: What a disk, a quota or a limit on file sizes says when it is full.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class storage_errors:  # noqa: N801 - read as a function; a generator takes four times as long, for every file
    """Tells errors of the file system at a path in the farm's words, while the block lasts."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise storage_error(error, self._path) from error


@contextmanager
def opening(path: Path, kind: str) -> Iterator[None]:
    """Tells errors of opening a file that the user named, such as "a table": NotFoundError, UnreadableError."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", remedy="check its name, and the current folder") from error
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read", cause=error.strerror, remedy=remedy_for(error, f"name {kind}'s file")
        ) from error


def remedy_for(error: OSError, otherwise: str) -> str:
    """What to do about what cannot be read: to get permission where that lacks, else `otherwise`."""
    if isinstance(error, PermissionError):
        return "get permission to read it, and to enter the folders above it (chmod, or its owner does that)"
    return otherwise


def storage_error(error: OSError, path: Path) -> StorageError:
    """What an error of the file system at `path` is in the farm's words."""
    if error.errno in FULL:
        return DiskFullError(
            f"no space left for {path}", cause=error.strerror, remedy="free some disk space and try again"
        )
    return StorageError(
        f"{path} cannot be read or written",
        cause=error.strerror or str(error),
        remedy="check the disk and the permissions",
    )
