"""A bundle as a file that somebody handed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trtfarm.blobs.objects import CHUNK_BYTES
from trtfarm.errors import NotFoundError, UsageError
from trtfarm.file_errors import remedy_for
from trtfarm.regular_files import open_regular


def pieces_of(path: Path) -> Iterator[bytes]:
    """The file's bytes. Raises NotFoundError, and UsageError for what is no readable file."""
    try:
        with open_regular(path) as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", remedy="check its name, and the current folder") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", cause=error.strerror, remedy=remedy_for(error, "name a bundle's file")
        ) from error
