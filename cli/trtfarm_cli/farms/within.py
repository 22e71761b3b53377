"""What a list is limited to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter


@dataclass(frozen=True, kw_only=True)
class Within:
    """Beside its filters it is limited to what was made at `since` or later, before `until`, and is as accurate."""

    since: datetime | None = None
    until: datetime | None = None
    accuracy: AccuracyFilter = ANY_ACCURACY


EVERYTHING = Within()
