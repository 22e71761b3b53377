"""Cursors: where the next page of a list begins, as text that clients hand back unread.

A cursor names the list, its filters and the last row that was given. It is checked, not signed: whoever makes one up
gets what the same filters would have given them from another row on, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trtfarm.catalog.window import Position
from trtfarm.digests import digest_of_json
from trtfarm.errors import UsageError

_LONGEST = 400
_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z_]{1,36}")
_FILTER_DIGITS = 16


def cursor_after(last: Position, *, of: str, filters: Mapping[str, Any]) -> str:
    """The cursor for what comes after a row of the list `of` with these filters."""
    value = [of, _digits(filters), last.created.isoformat(), last.id]
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def position_of(cursor: str, *, of: str, filters: Mapping[str, Any]) -> Position:
    """Where the list goes on; raises UsageError for what is no cursor of this list with these filters."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("it is too long")
        padded = cursor + "=" * (-len(cursor) % 4)
        name, digits, created, row_id = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
        moment = datetime.fromisoformat(created)
        if moment.tzinfo is None or not _ID.fullmatch(row_id):
            raise ValueError("it names no row")
        moment = moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise UsageError(
            "the cursor cannot be read", cause="it was cut or changed", remedy="begin again without a cursor"
        ) from error
    if (name, digits) != (of, _digits(filters)):
        raise UsageError(
            "the cursor belongs to another list",
            cause="its filters were others",
            remedy="keep the filters as they are, or begin again without a cursor",
        )
    return Position(created=moment, id=row_id)


def _digits(filters: Mapping[str, Any]) -> str:
    return digest_of_json({name: None if value is None else str(value) for name, value in filters.items()})[
        -_FILTER_DIGITS:
    ]
