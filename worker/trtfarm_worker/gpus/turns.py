"""Whose turn a GPU is: one process at a time on this host, whichever farm or user it works for.

A file lock for each GPU, in a folder that all share. The kernel lets go of it when the last process that has the file
open ends: a builder inherits it, so that the GPU stays taken until a builder whose supervisor was killed is gone too.
Containers that share a GPU have to share the folder, or they do not see each other.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trtfarm.errors import StorageError

#: The first of these that anybody may write to and nobody may clear, so that every user of the host takes the same.
_FOLDERS = (Path("/run/lock"), Path("/var/lock"), Path("/tmp"))  # noqa: S108 - the sticky bit is checked
_SHARED = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The right to use a GPU, until it is given back."""

    uuid: str
    #: The open lock file; a builder that works on the GPU inherits it.
    descriptor: int

    def give_back(self) -> None:
        os.close(self.descriptor)


def shared_folder() -> Path:
    """Where the locks of this host are. Raises StorageError if nothing will do."""
    for folder in _FOLDERS:
        with suppress(OSError):
            if folder.stat().st_mode & _SHARED == _SHARED:
                return folder.resolve()
    raise StorageError(
        "there is no folder for the locks of GPUs",
        cause=f"none of {', '.join(map(str, _FOLDERS))} is writable for all and sticky",
        remedy="make /run/lock with mode 1777",
    )


def take_turn(uuid: str, folder: Path | None = None) -> Turn | None:
    """The turn on a GPU if nobody has it; None if somebody has. Raises StorageError."""
    path = (folder or shared_folder()) / f"trtfarm-{uuid}.lock"
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise StorageError(
            f"the lock {path} of a GPU cannot be used", cause=str(error), remedy="look who made that file"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Turn(uuid=uuid, descriptor=descriptor)


def _opened(path: Path) -> int:
    """The lock file, made if it is not there; it stays for ever, for removing it would let two have the lock.

    Opened for reading, which is all that a lock takes: another user's file in a sticky folder may not be written to.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        with suppress(FileNotFoundError):
            descriptor = os.open(path, flags)
            break
        with suppress(FileExistsError):
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o444)
            break
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no regular file")
    return descriptor
