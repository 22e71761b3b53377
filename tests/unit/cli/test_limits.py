"""Ages and accuracies as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trtfarm.accuracy import AccuracyFilter
from trtfarm.errors import UsageError
from trtfarm_cli.limits import limited


def test_ages_count_from_now_and_shares_may_be_percentages() -> None:
    before = datetime.now(UTC)
    found = limited(newer_than="7d", older_than="1h", min_top1="98.5%", min_cosine=0.99, max_drop="0.01")
    after = datetime.now(UTC)
    assert found.since is not None
    assert found.until is not None
    assert before <= found.since + timedelta(days=7) <= after
    assert before <= found.until + timedelta(hours=1) <= after
    assert found.accuracy == AccuracyFilter(min_top1=0.985, min_cosine=0.99, max_drop=0.01)
    assert limited().accuracy == AccuracyFilter()


@pytest.mark.parametrize(
    "words",
    [{"newer_than": "long"}, {"older_than": "9" * 12 + "w"}, {"min_top1": "most"}, {"max_drop": "101%"}],
)
def test_what_is_none_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        limited(min_cosine=None, **words)


@pytest.mark.parametrize("cosine", [1.1, float("nan")])
def test_a_cosine_is_at_most_one(cosine: float) -> None:
    with pytest.raises(UsageError):
        limited(min_cosine=cosine)
