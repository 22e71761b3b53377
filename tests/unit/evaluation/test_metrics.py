"""The measures against their formulas, on numbers that can be checked by hand, and in batches of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtfarm_builder.evaluation.metrics import FloatAgreement, IntegerAgreement


def measured(reference: object, candidate: object) -> dict[str, float | None]:
    agreement = FloatAgreement()
    agreement.add(np.array(reference, np.float32), np.array(candidate, np.float32))
    return agreement.result()


def test_measures_of_two_samples() -> None:
    found = measured([[3, 4], [1, 0]], [[3, 4], [1, 1]])
    assert found["cosine_mean"] == pytest.approx((1 + 1 / math.sqrt(2)) / 2)
    assert found["cosine_min"] == pytest.approx(1 / math.sqrt(2))
    assert found["snr_db"] == pytest.approx(10 * math.log10(26 / 1))
    assert found["max_abs_error"] == 1


def test_an_exact_copy_has_no_noise_to_compare_with() -> None:
    found = measured([[1, 2]], [[1, 2]])
    assert found["cosine_min"] == pytest.approx(1)
    assert found["snr_db"] is None
    assert found["max_abs_error"] == 0


@pytest.mark.parametrize(("candidate", "cosine"), [([[0, 0]], 1), ([[0, 1]], 0)])
def test_cosine_of_a_sample_of_zeros(candidate: list[list[float]], cosine: float) -> None:
    assert measured([[0, 0]], candidate)["cosine_mean"] == cosine


def test_the_largest_and_smallest_numbers_have_a_cosine() -> None:
    found = measured([[2.4e38, 3.2e38], [3e-45, 0]], [[2.4e38, 3.2e38], [3e-45, 3e-45]])
    assert found["cosine_min"] == pytest.approx(1 / math.sqrt(2))


def test_a_candidate_that_is_not_a_number_is_told_and_counts_as_wrong() -> None:
    found = measured([[1, 2], [1, 2]], [[1, 2], [1, math.nan]])
    assert found["cosine_mean"] == pytest.approx(0.5)
    assert found["cosine_min"] == 0
    assert (found["snr_db"], found["max_abs_error"]) == (None, None)
    assert (found["broken_samples"], found["nonfinite_reference"], found["nonfinite_candidate"]) == (1, 0, 1)


@pytest.mark.parametrize("candidate", [[[math.inf, 2]], [[1, 2]], [[math.nan, 2]]])
def test_an_infinity_that_the_candidate_does_not_share_breaks_the_sample(candidate: list[list[float]]) -> None:
    found = measured([[-math.inf, 2]], candidate)
    assert (found["broken_samples"], found["cosine_mean"]) == (1, 0)


def test_infinities_that_both_share_are_left_out() -> None:
    found = measured([[-math.inf, 3, math.nan]], [[-math.inf, 4, math.nan]])
    assert found["broken_samples"] == 0
    assert found["cosine_mean"] == pytest.approx(1)
    assert found["max_abs_error"] == 1
    assert (found["nonfinite_reference"], found["nonfinite_candidate"]) == (2, 2)


values = hnp.arrays(
    np.float32, (6, 3), elements=st.floats(-1024, 1024, width=32) | st.sampled_from([math.nan, math.inf])
)


@given(reference=values, candidate=values, cut=st.integers(0, 6))
def test_batches_do_not_matter(reference: np.ndarray, candidate: np.ndarray, cut: int) -> None:
    whole, parts = FloatAgreement(), FloatAgreement()
    whole.add(reference, candidate)
    parts.add(reference[:cut], candidate[:cut])
    parts.add(reference[cut:], candidate[cut:])
    one, other = whole.result(), parts.result()
    assert {name for name, value in one.items() if value is None} == {
        name for name, value in other.items() if value is None
    }
    assert [value or 0 for value in other.values()] == pytest.approx([value or 0 for value in one.values()], rel=1e-9)


def test_integers_agree_by_the_share_of_equal_elements() -> None:
    agreement = IntegerAgreement()
    agreement.add(np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]]))
    agreement.add(np.array([[True, False]]), np.array([[True, True]]))
    assert agreement.result() == {"equal_share": 4 / 6}
