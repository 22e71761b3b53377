"""The loss that measures amount to: the gate's own number, with how sure it is."""

from __future__ import annotations

import math

import pytest

from trtfarm.accuracy import drop
from trtfarm_builder.sensitivity.loss import loss_from, percent

OUTPUTS = {
    "y": {"cosine_mean": 0.99, "cosine_deviation": 0.02},
    "z": {"cosine_mean": 0.97, "cosine_deviation": 0.01},
    "n": {"equal_share": 0.995},
}


def test_the_output_that_lost_most_decides() -> None:
    loss = loss_from(OUTPUTS, None, 100)
    assert loss.share == pytest.approx(drop({"outputs": OUTPUTS}))
    assert loss.error == pytest.approx(0.01 / 10)
    assert loss.outputs == pytest.approx({"y": 0.01, "z": 0.03, "n": 0.005})


def test_classes_decide_where_they_are_compared() -> None:
    loss = loss_from(OUTPUTS, 0.98, 400)
    assert loss.share == pytest.approx(0.02)
    assert loss.error == pytest.approx(0.007)


def test_within_counts_the_standard_error() -> None:
    loss = loss_from({"y": {"cosine_mean": 0.99, "cosine_deviation": 0.02}}, None, 100)
    assert loss.within(0.0121)
    assert not loss.within(0.0119)


@pytest.mark.parametrize(("samples", "beyond"), [(16, False), (64, True)])
def test_a_loss_is_beyond_doubt_only_on_enough_samples(samples: int, beyond: bool) -> None:  # noqa: FBT001 - a parameter
    loss = loss_from({"y": {"cosine_mean": 0.95, "cosine_deviation": 0.01}}, None, samples)
    assert loss.beyond(0.01) is beyond
    assert not loss.beyond(0.0476)


def test_no_loss_is_within_none() -> None:
    assert loss_from({"y": {"cosine_mean": 1.0 + 1e-16, "cosine_deviation": 0.0}}, None, 4).within(0.0)


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0.00%"),
        (5e-6, "0.0005%"),
        (0.00012345, "0.0123%"),
        (0.001, "0.10%"),
        (0.25, "25.00%"),
        (1.0, "100.00%"),
        (math.nan, "nan%"),
    ],
)
def test_small_shares_have_the_digits_that_they_need(share: float, told: str) -> None:
    assert percent(share) == told
