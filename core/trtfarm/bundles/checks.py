"""What a value in a manifest may be: small checks, put together to those of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from trtfarm.compute_capability import ComputeCapability
from trtfarm.digests import is_digest
from trtfarm.errors import UsageError
from trtfarm.versions import TensorRTVersion

Check = Callable[[Any], bool]

#: What the databases' columns hold.
LARGEST_COUNT = (1 << 31) - 1
LARGEST_SIZE = (1 << 63) - 1
_LARGEST_NUMBER = 1e300
_DEEPEST = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_plain(value: Any, deepest: int = _DEEPEST) -> bool:
    """Whether a JSON value can be stored anywhere: no NUL in its texts, no number or depth beyond what others read."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int | float):
        return is_number(value)
    if not deepest:
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return all(is_plain(part, deepest - 1) for part in parts)


def is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return -LARGEST_SIZE <= value <= LARGEST_SIZE
    return isinstance(value, float) and abs(value) <= _LARGEST_NUMBER


def is_share(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


def is_time(value: Any) -> bool:
    """A time with its zone, in ISO 8601."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_version(value: Any) -> bool:
    """A TensorRT version, written as the farm writes it."""
    try:
        return isinstance(value, str) and str(TensorRTVersion.parse(value)) == value
    except UsageError:
        return False


def is_capability(value: Any) -> bool:
    """A compute capability, written as the farm writes it."""
    try:
        return isinstance(value, str) and str(ComputeCapability.parse(value)) == value
    except UsageError:
        return False


def is_digest_text(value: Any) -> bool:
    return isinstance(value, str) and is_digest(value)


def count(most: int = LARGEST_COUNT, *, least: int = 0) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def text(most: int) -> Check:
    """Any text of up to so many characters."""
    return lambda value: isinstance(value, str) and len(value) <= most


def word(most: int) -> Check:
    """One to so many characters, none of which moves a cursor."""
    return lambda value: isinstance(value, str) and 0 < len(value) <= most and not _CONTROL.search(value)


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def either(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


def both(*checks: Check) -> Check:
    return lambda value: all(check(value) for check in checks)


def listed(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def mapped(check: Check) -> Check:
    """An object whose values all are so, whatever their names."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def having(optional: Mapping[str, Check] | None = None, /, **needed: Check) -> Check:
    """An object with these values, perhaps some of the `optional` ones, and perhaps others."""
    wanted = {**(optional or {}), **needed}
    return lambda value: (
        isinstance(value, dict)
        and set(needed) <= set(value)
        and all(wanted[name](part) for name, part in value.items() if name in wanted)
    )
