"""The fewest that will do, against looking at each number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtfarm_builder.sensitivity.selection import fewest


@given(st.integers(1, 200), st.integers(0, 250), st.integers(-5, 250))
def test_it_is_the_least_that_fits_and_nothing_is_tried_twice(most: int, needed: int, guess: int) -> None:
    tried: list[int] = []

    def fits(count: int) -> bool:
        tried.append(count)
        return count >= max(needed, 1)

    assert fewest(most, fits, guess) == (max(needed, 1) if max(needed, 1) <= most else None)
    assert len(set(tried)) == len(tried)
    assert all(1 <= count <= most for count in tried)
    assert len(tried) <= 2 + 2 * most.bit_length()


def test_a_perfect_guess_takes_two_trials() -> None:
    tried: list[int] = []

    def fits(count: int) -> bool:
        tried.append(count)
        return count >= 17

    assert fewest(100, fits, 17) == 17
    assert tried == [17, 16]


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 60))
def test_where_more_do_not_always_fit_better_what_is_given_fits(fit: list[bool], guess: int) -> None:
    found = fewest(len(fit), lambda count: fit[count - 1], guess)
    assert found is None or fit[found - 1]
