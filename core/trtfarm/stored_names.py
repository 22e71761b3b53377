"""Names of files as the farm stores and finds them."""

from __future__ import annotations

#: Characters of a name that are kept.
STORED_CHARACTERS = 200
#: Characters of a file's name, at most: file systems take 255 bytes.
FILE_NAME_CHARACTERS = 255
#: A file's name may hold characters that begin a line or move a cursor; no list shows them, and no bundle takes them.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def as_stored(name: str) -> str:
    """What is kept of a name; what people ask for is written like it, so that a long or an odd name finds its own."""
    return plain(name)[:STORED_CHARACTERS]


def plain(name: str) -> str:
    """A name, or a path, as text that any server takes and that stays on its line."""
    return name.encode(errors="backslashreplace").decode().translate(_CONTROL)
