"""Names of files as the farm stores and finds them."""

from __future__ import annotations

#: Characters of a name that are kept.
STORED_CHARACTERS = 200
#: Characters of a file's name, at most: file systems take 255 bytes.
FILE_NAME_CHARACTERS = 255


def as_stored(name: str) -> str:
    """The part of a name that is kept; what people ask for is cut like it, so that a long name finds its own."""
    return name[:STORED_CHARACTERS]
