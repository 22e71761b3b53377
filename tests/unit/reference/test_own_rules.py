"""Percentile and mean squared error: rules of ours, with no table of TensorRT's to compare with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trtfarm_builder.reference.histogram import BINS, Distribution
from trtfarm_builder.reference.legacy import Legacy
from trtfarm_builder.reference.levels import CANDIDATES
from trtfarm_builder.reference.mse import MeanSquaredError, squared_errors
from trtfarm_builder.reference.percentile import Percentile


def distribution_of(values: NDArray[np.float64]) -> Distribution:
    top = float(np.abs(values).max())
    return Distribution(counts=np.histogram(np.abs(values), BINS, (0, top))[0].astype(np.int64), range=top)


@given(st.floats(0.01, 1.0))
def test_percentile_is_that_of_the_values_within_a_bin(quantile: float) -> None:
    values = np.abs(np.random.default_rng(1).standard_normal(20_000))
    seen = distribution_of(values)
    amax = Percentile(quantile).amax(seen)
    assert (values <= amax - seen.width).mean() <= quantile <= (values <= amax + seen.width).mean()


def test_percentile_interpolates_where_legacy_takes_whole_bins() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[:4] = 100
    counts[-1] = 1
    seen = Distribution(counts=counts, range=float(BINS))
    quantile = 250 / 401
    assert Percentile(quantile).amax(seen) == pytest.approx(2.5)
    assert Legacy(quantile).amax(seen) == 3.0


@pytest.mark.parametrize("rule", [Percentile(1.0), Legacy(1.0)])
def test_all_values_reach_to_the_last_bin_in_use(rule: Percentile | Legacy) -> None:
    counts = np.zeros(BINS, np.int64)
    counts[[0, 5, 1500]] = [3, 10**12, 7]
    assert rule.amax(Distribution(counts=counts, range=float(BINS))) == 1501.0


def test_squared_errors_are_those_of_rounding_every_bin() -> None:
    seen = distribution_of(np.random.default_rng(2).standard_t(3, 30_000))
    errors = squared_errors(seen)
    centres = np.arange(BINS) + 0.5
    for candidate in (128, 300, 1000, 1999, 2048):
        step = candidate / 127
        rounded = np.floor(centres / step + 0.5).clip(0, 127) * step
        want = float((seen.counts * (centres - rounded) ** 2).sum())
        assert errors[candidate - CANDIDATES[0]] == pytest.approx(want, rel=1e-9)


def test_least_squared_error_clips_outliers_and_keeps_even_spreads() -> None:
    random = np.random.default_rng(3)
    even = distribution_of(random.uniform(-1, 1, 50_000))
    assert MeanSquaredError().amax(even) > 0.97 * even.range
    outlier = distribution_of(np.append(random.standard_normal(100_000), 100.0))
    assert MeanSquaredError().amax(outlier) < 0.8 * outlier.range
