"""Times and sizes as people write them: 30d, 12h, 50GiB."""

from __future__ import annotations

import re

from trtfarm.errors import UsageError

_TIME = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
#: A century, as over HTTP: every time that lies so far from now has a date.
_LONGEST_SECONDS = 36_525 * 86_400.0
#: As over HTTP.
_MOST_BYTES = 1 << 62


def seconds_of(text: str) -> float:
    """Seconds of `30d`, `12h`, `90min`; a century at most. Raises UsageError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:80]!r} is not a time", remedy="write it as 30d, 12h, 90min or 2w")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds > _LONGEST_SECONDS:
        raise UsageError(f"{text[:80]!r} is longer than a century", remedy="use a shorter time")
    return seconds


def bytes_of(text: str) -> int:
    """Bytes of `50GiB`, `512MiB`, or a number of bytes; 2**62 at most. Raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:80]!r} is not a size", remedy="write it as 50GiB or 512MiB")
    count = float(found[1]) * _BYTES[found[2]]
    if count > _MOST_BYTES:
        raise UsageError(f"{text[:80]!r} is more than there is of anything", remedy="use a smaller size")
    return int(count)
