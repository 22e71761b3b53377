"""Text as databases take it."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    """Files may have names that are not UTF-8, which all text in a database is: their odd bytes are written out."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, list | tuple):
        return type(value)(map(storable, value))
    if isinstance(value, dict):
        return {name: storable(part) for name, part in value.items()}
    return value
