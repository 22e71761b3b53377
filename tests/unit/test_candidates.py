"""Which calibrators are compared, and which of them wins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.calibrators import Calibrator
from trtfarm.candidates import best, candidate_rules
from trtfarm.errors import UsageError


@pytest.mark.parametrize(
    ("drops", "winner"),
    [
        ([0.02, 0.01, 0.03], 1),
        ([0.01, 0.01, 0.01], 0),
        ([math.nan, 0.5], 1),
        ([math.nan, math.nan], 0),
        ([0.0, -0.01], 1),
    ],
)
def test_the_smallest_loss_wins_and_the_first_of_equal_ones(drops: list[float], winner: int) -> None:
    assert best(drops) == winner


@given(st.lists(st.sampled_from([-0.01, 0.0, 0.01, math.inf, math.nan]), min_size=1))
def test_nobody_loses_less_than_the_winner(drops: list[float]) -> None:
    won = drops[best(drops)]
    assert math.isnan(won) <= all(map(math.isnan, drops))
    assert not any(drop < won for drop in drops)


def test_all_are_portable_and_a_quantile_is_the_percentile_s() -> None:
    rules = candidate_rules(batch_size=20, quantile=0.99, native=False)
    assert [rule.calibrator.value for rule in rules] == ["minmax", "entropy2", "percentile", "mse"]
    assert {rule.calibrator: rule.quantile for rule in rules if rule.quantile} == {Calibrator.PERCENTILE: 0.99}
    assert all(rule.portable and rule.batch_size == 20 for rule in rules)


def test_tensorrt_compares_what_it_has() -> None:
    rules = candidate_rules(batch_size=20, quantile=None, native=True)
    assert [rule.calibrator.value for rule in rules] == ["minmax", "entropy2"]


def test_a_quantile_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="quantile"):
        candidate_rules(batch_size=20, quantile=1.5, native=False)
