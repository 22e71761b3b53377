"""Folders for work in progress. Each is locked by its process, so that those of the dead can be told and removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trtfarm.file_errors import storage_errors

#: Tells our folders from those of others among a host's temporary files.
_TEMPORARY = "trtfarm-work"


@contextmanager
def scratch_folder(root: Path, prefix: str) -> Iterator[Path]:
    """A new folder below `root`, removed when the block ends. Raises DiskFullError, StorageError."""
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        # Hidden until it is locked: without its lock it would look like one of a dead process.
        unlocked = Path(tempfile.mkdtemp(prefix=f".{prefix}-", dir=root))
        folder = unlocked.with_name(unlocked.name.removeprefix("."))
        descriptor = os.open(unlocked, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unlocked.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """The same among the host's temporary files, for work without a farm; what killed commands left there goes first.

    Raises DiskFullError, StorageError.
    """
    root = Path(tempfile.gettempdir())
    sweep_scratch(root, _TEMPORARY)
    with scratch_folder(root, _TEMPORARY) as folder:
        yield folder


def sweep_scratch(root: Path, prefix: str = "") -> int:
    """Removes the user's own folders below `root`, of that prefix, whose processes have died; returns how many."""
    pattern = f"{prefix}-*" if prefix else "[!.]*"
    with storage_errors(root):
        return sum(_remove_if_dead(folder) for folder in root.glob(pattern))


def _remove_if_dead(folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (
        FileNotFoundError,
        NotADirectoryError,
        PermissionError,
    ):  # gone meanwhile, no folder of ours, another user's
        return False
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
