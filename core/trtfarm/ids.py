"""Names of rows: a prefix that says what it is, then a time, then chance."""

from __future__ import annotations

import secrets
import time

# Crockford's base 32: no i, l, o, u, so that an id can be read aloud and copied from a screen.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_BITS_PER_LETTER = 5
_TIME_LETTERS = 10  # 50 bits of milliseconds: enough until the year 37,000
_CHANCE_LETTERS = 10  # 50 bits: two ids of one millisecond collide once in 10**15


def new_id(prefix: str) -> str:
    """A fresh id such as `job_01kad3x7yqm2v8r0t5bw`.

    Made by the writer, not by the database, so that a row's id is known before it is inserted and two databases never
    give the same one. It starts with the time (milliseconds since 1970), as UUIDv7 does: ids sort by age, and inserts
    stay at the end of the index. The clock is the writer's own; only leases and queues need the database's.
    """
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000, _TIME_LETTERS)}{_chance()}"


def _chance() -> str:
    return _base32(secrets.randbits(_CHANCE_LETTERS * _BITS_PER_LETTER), _CHANCE_LETTERS)


def _base32(number: int, letters: int) -> str:
    shifts = range((letters - 1) * _BITS_PER_LETTER, -1, -_BITS_PER_LETTER)
    return "".join(_ALPHABET[number >> shift & 31] for shift in shifts)
