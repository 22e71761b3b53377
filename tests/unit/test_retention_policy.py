"""What a policy lets go of, from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trtfarm.retention.policy import Kind, Policy, Stored, doomed

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = 30 * DAY


def stored(name: str, days: float, *, kept: str | None = None, made_from: str = "") -> Stored:
    """Unused for so many days; its kind is that of its name's first letters, and it was made when it was last used."""
    kind = {"eng": Kind.ENGINE, "tab": Kind.TABLE, "dat": Kind.DATASET}[name[:3]]
    used = NOW - days * DAY
    sources = frozenset(made_from.split())
    return Stored(kind=kind, id=name, size=10, created=used, used=used, kept=kept, made_from=sources)


def gone(policy: Policy, *there: Stored) -> list[str]:
    return [one.id for one in doomed(there, policy, NOW)]


def test_without_a_limit_all_stays() -> None:
    assert gone(Policy(), stored("eng_1", 9999), stored("tab_1", 9999), stored("dat_1", 9999)) == []


@pytest.mark.parametrize(("days", "goes"), [(29.0, False), (30.0, False), (30.001, True)])
def test_what_was_used_just_so_long_ago_stays(days: float, goes: bool) -> None:  # noqa: FBT001 - a column of the cases
    assert gone(Policy(unused_for=MONTH), stored("eng_1", days)) == (["eng_1"] if goes else [])


@pytest.mark.parametrize(
    ("total", "names"), [(30, []), (29, ["eng_old"]), (20, ["eng_old"]), (19, ["eng_old", "eng_mid"])]
)
def test_the_longest_unused_engines_go_until_the_others_fit_just_so(total: int, names: list[str]) -> None:
    there = [stored("eng_new", 1), stored("eng_old", 3), stored("eng_mid", 2)]
    assert gone(Policy(total_bytes=total), *there) == names


def test_a_kept_engine_counts_and_stays() -> None:
    there = [stored("eng_kept", 9, kept="pinned"), stored("eng_1", 1)]
    assert gone(Policy(total_bytes=10), *there) == ["eng_1"]
    assert gone(Policy(unused_for=timedelta()), *there) == ["eng_1"]


def test_nothing_goes_that_something_which_stays_was_made_from() -> None:
    policy = Policy(unused_for=MONTH, tables_unused_for=MONTH, data_unused_for=MONTH)
    chain = [stored("dat_1", 90), stored("tab_1", 80, made_from="dat_1"), stored("tab_2", 70, made_from="tab_1")]
    assert gone(policy, *chain, stored("eng_1", 60, made_from="tab_2")) == ["eng_1", "tab_2", "tab_1", "dat_1"]
    assert gone(policy, *chain, stored("eng_1", 1, made_from="tab_2")) == []
    young = stored("tab_2", 1, made_from="tab_1")
    assert gone(policy, *chain[:2], young) == []


def test_each_kind_has_a_limit_of_its_own() -> None:
    there = [stored("eng_1", 60), stored("tab_1", 60), stored("dat_1", 60)]
    assert gone(Policy(tables_unused_for=MONTH), *there) == ["tab_1"]
    assert gone(Policy(data_unused_for=MONTH), *there) == ["dat_1"]
