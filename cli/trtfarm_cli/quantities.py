"""Times and sizes as people write them: 30d, 12h, 50GiB."""

from __future__ import annotations

import re

from trtfarm.errors import UsageError

_TIME = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def seconds_of(text: str) -> float:
    """Reads `30d`, `12h`, `90min`. Raises UsageError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:80]!r} is not a time", remedy="write it as 30d, 12h, 90min or 2w")
    return float(found[1]) * _SECONDS[found[2]]


def bytes_of(text: str) -> int:
    """Reads `50GiB`, `512MiB`, or a number of bytes. Raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:80]!r} is not a size", remedy="write it as 50GiB or 512MiB")
    return int(float(found[1]) * _BYTES[found[2]])
