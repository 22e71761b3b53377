from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.calibrators import (
    AFTER_FUSION_BY_DEFAULT,
    HEADER_WORDS,
    WITH_QUANTILE,
    CalibrationRule,
    Calibrator,
)
from trtfarm.errors import UsageError

OTHERS = [calibrator for calibrator in Calibrator if calibrator not in WITH_QUANTILE]


@pytest.mark.parametrize("calibrator", Calibrator)
def test_a_calibrator_is_read_by_its_word(calibrator: Calibrator) -> None:
    assert Calibrator.parse(calibrator.value.upper()) is calibrator


def test_an_unknown_calibrator_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        Calibrator.parse("entropy3")
    assert all(word in str(caught.value.remedy) for word in Calibrator)


def test_every_calibrator_but_legacy_has_a_header_word() -> None:
    assert set(Calibrator) - set(HEADER_WORDS) == {Calibrator.LEGACY}


def test_defaults_are_filled_in_so_that_equal_rules_are_equal() -> None:
    assert CalibrationRule.of(Calibrator.LEGACY, batch_size=8) == CalibrationRule.of(
        Calibrator.LEGACY, batch_size=8, quantile=0.9999, cutoff=1
    )
    assert CalibrationRule.of(Calibrator.PERCENTILE, batch_size=8).quantile == 0.9999
    assert CalibrationRule.of(Calibrator.PERCENTILE, batch_size=8).cutoff is None


@pytest.mark.parametrize("calibrator", Calibrator)
def test_only_what_fuses_first_in_tensorrt_can_be_told_to(calibrator: Calibrator) -> None:
    rule = CalibrationRule.of(calibrator, batch_size=8, before_fusion=False)
    assert rule.before_fusion is (calibrator not in AFTER_FUSION_BY_DEFAULT)
    assert rule.portable is rule.before_fusion


@pytest.mark.parametrize("calibrator", OTHERS)
def test_a_quantile_is_for_those_that_have_one(calibrator: Calibrator) -> None:
    with pytest.raises(UsageError, match="no quantile"):
        CalibrationRule.of(calibrator, batch_size=8, quantile=0.99)


@pytest.mark.parametrize("calibrator", [*OTHERS, Calibrator.PERCENTILE])
def test_a_cutoff_is_for_legacy_alone(calibrator: Calibrator) -> None:
    with pytest.raises(UsageError, match="no cutoff"):
        CalibrationRule.of(calibrator, batch_size=8, cutoff=0.5)


@pytest.mark.parametrize("value", [0, -0.5, 1.0001, math.inf, math.nan])
def test_quantile_and_cutoff_are_shares(value: float) -> None:
    with pytest.raises(UsageError, match="quantile"):
        CalibrationRule.of(Calibrator.LEGACY, batch_size=8, quantile=value)
    with pytest.raises(UsageError, match="cutoff"):
        CalibrationRule.of(Calibrator.LEGACY, batch_size=8, cutoff=value)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_samples(size: int) -> None:
    with pytest.raises(UsageError, match="batch size"):
        CalibrationRule.of(Calibrator.MINMAX, batch_size=size)


@given(calibrator=st.sampled_from(Calibrator), batch_size=st.integers(1, 1000), before_fusion=st.booleans())
def test_a_rule_survives_being_data(calibrator: Calibrator, batch_size: int, *, before_fusion: bool) -> None:
    rule = CalibrationRule.of(calibrator, batch_size=batch_size, before_fusion=before_fusion)
    data = rule.as_dict()
    assert CalibrationRule(**{**data, "calibrator": Calibrator(data["calibrator"])}) == rule
