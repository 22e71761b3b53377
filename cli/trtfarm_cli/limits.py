"""What lists are limited to by age and accuracy, as people write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trtfarm.accuracy import AccuracyFilter
from trtfarm_cli.farms.within import Within
from trtfarm_cli.options import percentage
from trtfarm_cli.quantities import seconds_of


def limited(
    *,
    newer_than: str | None = None,
    older_than: str | None = None,
    min_top1: str | None = None,
    min_cosine: float | None = None,
    max_drop: str | None = None,
) -> Within:
    """Raises UsageError for what is no time or share."""
    return Within(
        since=_ago(newer_than),
        until=_ago(older_than),
        accuracy=AccuracyFilter(
            min_top1=None if min_top1 is None else percentage(min_top1),
            min_cosine=min_cosine,
            max_drop=None if max_drop is None else percentage(max_drop),
        ),
    )


def _ago(text: str | None) -> datetime | None:
    return None if text is None else datetime.now(UTC) - timedelta(seconds=seconds_of(text))
