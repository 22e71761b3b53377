"""Files and folders that survive a power cut: a name is safe only when the folder it stands in is synced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


def write_durably(target: Path, chunks: Iterator[bytes], *, temporary: Path, mode: int) -> None:
    """Writes `target` through a file in the folder `temporary`, on the same volume, and syncs file and folder.

    If `chunks` or the disk fails, the temporary file is removed and `target` is as it was.
    """
    write_whole(target, chunks, temporary=temporary, mode=mode, lasting=True)


def write_whole(target: Path, chunks: Iterator[bytes], *, temporary: Path, mode: int, lasting: bool) -> None:
    """The same, and synced only if it is `lasting`: what is needed for a moment need not survive a power cut."""
    descriptor, name = mkstemp(dir=temporary, prefix=f".{target.name}-")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                _write_all(file.fileno(), chunk)
            os.fchmod(file.fileno(), mode)
            if lasting:
                os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if lasting:
        sync(target.parent)


def make_durable_folder(folder: Path) -> None:
    """Makes a folder and its parents, unless they are there."""
    if folder.is_dir():
        return
    missing = [folder]
    while not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir()
            sync(path.parent)


def sync(path: Path, mode: int | None = None) -> None:
    """Returns when the content of a file, or the names in a folder, are on the disk; sets the permissions `mode`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
