from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trtfarm.errors import UsageError
from trtfarm_cli.quantities import bytes_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("1.5h", 5400), ("90min", 5400), ("0s", 0), ("2w", 1_209_600)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(("text", "count"), [("50GiB", 50 << 30), ("1.5 KiB", 1536), ("7", 7), ("0B", 0)])
def test_sizes(text: str, count: int) -> None:
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1e9d", "30 days", "nan"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["99999999999d", "9" * 400 + "s", "36526d"])
def test_no_time_is_so_long_that_no_date_lies_so_far_back(text: str) -> None:
    assert datetime.now(UTC) - timedelta(seconds=seconds_of("36525d")) > datetime.min.replace(tzinfo=UTC)
    with pytest.raises(UsageError, match="longer than a century"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "GiB", "4194305TiB"])
def test_no_size_is_more_than_a_column_holds(text: str) -> None:
    assert bytes_of("4194304TiB") == 1 << 62
    with pytest.raises(UsageError, match="more than there is"):
        bytes_of(text)


@pytest.mark.parametrize("text", ["", "50GB", "-1", "GiB", "1e9", "inf"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        bytes_of(text)
