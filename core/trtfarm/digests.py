"""SHA-256 digests of bytes, files and plain data, written `sha256:<64 hex digits>`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_PREFIX = "sha256:"
_HEX_DIGITS = 64
#: A digest that no blob has in practice: asking a store for it tells whether the store answers.
NO_BLOB = _PREFIX + _HEX_DIGITS * "0"


def digest_of_bytes(data: bytes | memoryview) -> str:
    return _PREFIX + hashlib.sha256(data).hexdigest()


def digest_of_file(path: Path) -> str:
    """Digest of a file's content, read in pieces."""
    with path.open("rb") as file:
        return _PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one byte string for a JSON value: keys sorted, no spaces, UTF-8; NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of_json(value: Any) -> str:
    return digest_of_bytes(canonical_json(value))


def is_digest(text: str) -> bool:
    digits = text.removeprefix(_PREFIX)
    return text.startswith(_PREFIX) and len(digits) == _HEX_DIGITS and set(digits) <= set("0123456789abcdef")
