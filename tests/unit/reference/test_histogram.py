from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.histogram import BINS, Distribution, Histogram

Batch = list[float]

#: Magnitudes that often lie exactly on a range or on an end of a bin, and some that do not.
_MAGNITUDES = [0.0, 2.0**-30, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 4096.0, 1e5, 0.1, 0.3, 1.0001, 7.77]
_SIGNED = st.sampled_from([sign * magnitude for magnitude in _MAGNITUDES for sign in (1, -1)])
_REALS = st.floats(-1e4, 1e4, width=32).filter(lambda value: not 0 < abs(value) < 1e-30)
_BATCHES = st.lists(st.lists(st.one_of(_SIGNED, _REALS), min_size=1, max_size=12), min_size=1, max_size=8)


def whole(batches: Sequence[Batch]) -> Distribution:
    """The histogram by its definition: each batch is added whole, after the range was doubled until it fits."""
    counts, top, waiting = np.zeros(BINS, np.int64), 0.0, 0
    for batch in batches:
        values = np.abs(np.array(batch, np.float32))
        amax = float(values.max())
        if not top and not amax:
            waiting += len(batch)
            continue
        top = top or amax
        while amax > top:
            counts = np.concatenate([counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            top *= 2
        index = (values * np.float32(BINS / top)).astype(np.int64)
        counts += np.bincount(np.minimum(index, BINS - 1), minlength=BINS)
    counts[0] += waiting
    return Distribution(counts=counts, range=top)


def pieces(batches: Sequence[Batch], length: int, base: float = 0.0) -> Histogram:
    """The histogram with every batch added in pieces of some length, as the calibrator does it."""
    histogram = Histogram(base)
    for batch in batches:
        parts = [np.array(batch[at : at + length], np.float32) for at in range(0, len(batch), length)]
        for part in parts:
            histogram.add(part)
        if histogram.recount():
            for part in parts:
                histogram.add(part)
        histogram.end_batch()
    return histogram


def assert_equal(have: Distribution, want: Distribution) -> None:
    assert have.range == want.range
    assert have.counts.tolist() == want.counts.tolist()


@given(_BATCHES, st.integers(1, 12))
def test_pieces_of_batches_add_up_to_whole_batches(batches: list[Batch], length: int) -> None:
    assert_equal(pieces(batches, length).summary(), whole(batches))


@given(_BATCHES, st.integers(1, 12), st.lists(st.integers(0, 8), min_size=1, max_size=3))
def test_shards_merge_to_one_piece(batches: list[Batch], length: int, cuts: list[int]) -> None:
    first = [0.5, -1.0]  # something for the first shard to take its base range from
    batches = [first, *batches]
    bounds = sorted({0, len(batches), *(min(1 + cut, len(batches)) for cut in cuts)})
    base = pieces(batches[: bounds[1]], length).base
    shards = [pieces(batches[start:stop], length, base if start else 0.0) for start, stop in pairwise(bounds)]
    assert_equal(Histogram.merged(shards).summary(), whole(batches))


def test_a_value_on_the_end_of_the_range_stays_below_the_bins_that_come_later() -> None:
    assert whole([[1.0], [2.0]]).counts[BINS // 2 - 1] == 1
    early, late = pieces([[1.0], [2.0]], 1), pieces([[1.0]], 1, base=1.0)
    assert_equal(Histogram.merged([early, late]).summary(), whole([[1.0], [2.0], [1.0]]))
    assert Histogram.merged([early, late]).summary().counts[BINS // 2] == 1


def test_shards_that_are_zero_at_first_merge_as_long_as_one_shard_knows_the_range() -> None:
    shards = [pieces([[0.0, 0.0]], 1), pieces([[0.0], [3.0, 1.0]], 1)]
    assert_equal(Histogram.merged(shards).summary(), whole([[0.0, 0.0], [0.0], [3.0, 1.0]]))


@given(_BATCHES, _BATCHES, st.floats(-2e-4, 2e-4))
def test_a_base_that_was_rounded_otherwise_moves_no_count(one: list[Batch], other: list[Batch], off: float) -> None:
    """As the bases are where another kind of processor found them."""
    first, second = pieces([[0.5, -1.0], *one], 3), pieces(other, 3, base=1.0)
    alike = Histogram.merged([first, second])
    second.base = 1.0 + off
    unlike = Histogram.merged([first, second])
    assert (unlike.base, unlike.level) == (1.0, alike.level)
    assert unlike.counts.tolist() == alike.counts.tolist()


@pytest.mark.parametrize("off", [1.001, 0.999, 5 / 3])
def test_shards_without_a_common_base_are_refused(off: float) -> None:
    with pytest.raises(BadDataError, match="no common base range"):
        Histogram.merged([pieces([[0.0]], 1), pieces([[3.0]], 1), pieces([[3.0 * off]], 1)])


def test_a_fault_in_one_shard_is_the_whole_tensors() -> None:
    shards = [pieces([[1.0]], 1), pieces([[2.0, np.inf]], 1), pieces([[5.0]], 1)]
    assert Histogram.merged(shards).fault == "infinite"


@pytest.mark.parametrize("scale", [2.0**-147, 1e-38, 1.0, 3e38])
def test_extreme_magnitudes_fall_into_the_same_bins(scale: float) -> None:
    values = np.array([0.0, 0.25, 0.5, 0.75, 1.0]) * np.float32(scale)
    seen = pieces([values.tolist()], 5).summary()
    assert seen.counts[BINS - 1] == 1
    assert seen.counts.sum() == 5
    # float32 may round a quarter of the range to just below the bin that begins there.
    assert np.flatnonzero(seen.counts) == pytest.approx(np.array([0, 512, 1024, 1536, 2047]), abs=1)


def test_many_doublings_end_in_the_first_bin() -> None:
    seen = pieces([[2.0**-100], [2.0**100]], 1).summary()
    assert seen.counts[0] == 1
    assert seen.counts[BINS - 1] == 1


@pytest.mark.parametrize(
    ("values", "fault"), [([1.0, np.nan], "not a number"), ([-np.inf], "infinite"), ([np.inf, np.nan], "not a number")]
)
def test_values_that_are_no_numbers_are_told(values: list[float], fault: str) -> None:
    histogram = pieces([[1.0], values, [2.0]], 4)
    assert histogram.fault == fault
    assert histogram.range == 1.0


def test_half_and_double_precision_count_as_float32() -> None:
    for dtype in (np.float16, np.float64):
        values: NDArray[np.floating] = np.array([[0.5, -1.0], [0.25, 1e-3]], dtype)
        histogram = Histogram(1.0)
        histogram.add(values)
        histogram.end_batch()
        assert_equal(histogram.summary(), whole([values.astype(np.float32).reshape(-1).tolist()]))


def test_a_double_beyond_float32_is_infinite() -> None:
    histogram = Histogram()
    histogram.add(np.array([1e300]))
    assert histogram.fault == "infinite"


def test_empty_arrays_change_nothing() -> None:
    histogram = Histogram()
    histogram.add(np.zeros((0, 3), np.float32))
    assert not histogram.recount()
    assert histogram.summary().range == 0.0
