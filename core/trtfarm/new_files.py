"""Files that come into being together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trtfarm.file_errors import storage_error


@contextmanager
def new_files(folder: Path) -> Iterator[Callable[[str], BinaryIO]]:
    """Yields a function that creates a file in `folder`; when the block fails, all files made with it are removed.

    Whatever the block reads must have its own handling of OSError: here they are taken for failures to write, and
    become DiskFullError or StorageError.
    """
    made: list[Path] = []

    def create(name: str) -> BinaryIO:
        path = folder / name
        file = path.open("xb")
        made.append(path)
        return file

    try:
        yield create
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(error, folder) from error
        raise
