"""Names of rows: a prefix that says what it is, then a time, then chance."""

from __future__ import annotations

import secrets
import time

# Crockford's base 32: no i, l, o, u, so that an id can be read aloud and copied from a screen.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Two letters at a time, which takes half as long.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_CHANCE_BITS = 50  # two ids of one millisecond collide once in 10**15
#: From the first pair of letters to the last: 50 bits of milliseconds, enough until the year 37,000, and chance's.
_SHIFTS = range(90, -1, -10)


def new_id(prefix: str) -> str:
    """A fresh id such as `job_01kad3x7yqm2v8r0t5bw`.

    Made by the writer, not by the database, so that a row's id is known before it is inserted and two databases never
    give the same one. It starts with the time (milliseconds since 1970), as UUIDv7 does: ids sort by age, and inserts
    stay at the end of the index. The clock is the writer's own; only leases and queues need the database's.
    """
    number = time.time_ns() // 1_000_000 << _CHANCE_BITS | secrets.randbits(_CHANCE_BITS)
    return f"{prefix}_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
