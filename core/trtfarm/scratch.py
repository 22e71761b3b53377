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


def sweep_scratch(root: Path) -> int:
    """Removes the folders below `root` whose processes have died; returns how many."""
    with storage_errors(root):
        return sum(_remove_if_dead(folder) for folder in root.glob("[!.]*"))


def _remove_if_dead(folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
