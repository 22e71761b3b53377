"""A bundle as a file that somebody handed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trtfarm.blobs.objects import CHUNK_BYTES
from trtfarm.file_errors import opening
from trtfarm.regular_files import open_regular


def pieces_of(path: Path) -> Iterator[bytes]:
    """The file's bytes. Raises NotFoundError, and UnreadableError for what is no readable file."""
    with opening(path, "a bundle"), open_regular(path) as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece
