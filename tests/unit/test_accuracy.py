from __future__ import annotations

import math
from typing import Any

import pytest

from trtfarm.accuracy import check_gate, drop
from trtfarm.errors import GateError


def outputs(*cosines: float) -> dict[str, Any]:
    measures = {f"y{position}": {"cosine_mean": cosine} for position, cosine in enumerate(cosines)}
    return {"classification": None, "outputs": measures}


def classified(reference: float, candidate: float) -> dict[str, Any]:
    top = {"reference": {"top1": reference}, "candidate": {"top1": candidate}}
    return {"classification": top, "outputs": {"prob": {"cosine_mean": 0.5}}}


def test_with_labels_the_drop_is_that_of_top1() -> None:
    assert drop(classified(0.99, 0.97)) == pytest.approx(0.02)
    assert drop(classified(0.97, 0.99)) == pytest.approx(-0.02)


def test_without_labels_the_worst_output_counts() -> None:
    assert drop(outputs(0.999, 0.95, 0.98)) == pytest.approx(0.05)


def test_integers_count_by_the_share_that_is_equal() -> None:
    measured = {"outputs": {"class": {"equal_share": 0.9}, "scores": {"cosine_mean": 0.99}}}
    assert drop(measured) == pytest.approx(0.1)


@pytest.mark.parametrize("cosines", [(math.nan,), (math.nan, 0.9), (0.9, math.nan), (0.9, math.nan, 0.8)])
def test_one_output_that_is_not_a_number_spoils_the_measure(cosines: tuple[float, ...]) -> None:
    assert math.isnan(drop(outputs(*cosines)))


def test_a_gate_lets_through_what_loses_as_much_as_allowed() -> None:
    check_gate(classified(0.75, 0.5), 0.25)
    check_gate(classified(0.5, 0.75), 0)
    check_gate(outputs(1.0), 0)


def test_a_gate_says_what_was_lost_and_what_was_allowed() -> None:
    with pytest.raises(GateError, match=r"INT8 loses 25\.00% against FP32, 10\.00% was allowed"):
        check_gate(classified(0.75, 0.5), 0.1)


@pytest.mark.parametrize(
    ("cosine", "allowed", "told"),
    [
        (0.9, 5e-5, "loses 10.000% against FP32, 0.005% was"),
        (0.9, 0.015, "loses 10.00% against FP32, 1.50% was"),
        (1 - 4e-6, 0, "loses 0.0004% against FP32, 0.0000% was"),
        (1 - 1.04e-3, 1e-3, "loses 0.104% against FP32, 0.100% was"),
    ],
)
def test_small_limits_and_losses_are_told_with_the_digits_that_they_need(
    cosine: float, allowed: float, told: str
) -> None:
    with pytest.raises(GateError) as caught:
        check_gate(outputs(cosine), allowed)
    assert told in caught.value.message


@pytest.mark.parametrize(
    "metrics",
    [
        outputs(0.9999, math.nan),
        classified(0.9, math.nan),
        {"outputs": {}},
        {"outputs": {"text": {}}},
    ],
)
def test_what_was_not_measured_passes_no_gate(metrics: dict[str, Any]) -> None:
    with pytest.raises(GateError, match="could not be measured"):
        check_gate(metrics, 1.0)
