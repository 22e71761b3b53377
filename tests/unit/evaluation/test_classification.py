"""Top-1 and Top-5: ties go to the first class, as with argmax, and NaN is never right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtfarm_builder.evaluation.classification import TopAccuracy
from trtfarm_builder.failures import BadDataError


def accuracy(scores: object, labels: object) -> dict[str, float | None]:
    top = TopAccuracy()
    top.add(np.array(scores, np.float32), np.array(labels, np.int64))
    return top.result()


def test_the_label_of_the_highest_score_is_right() -> None:
    scores = [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]]
    assert accuracy(scores, [6, 6]) == {"top1": 0.5, "top5": 0.5}
    assert accuracy(scores, [2, 4]) == {"top1": 0, "top5": 1}


def test_top5_says_nothing_about_five_classes() -> None:
    assert accuracy([[0, 1, 2, 3, 4]], [0]) == {"top1": 0, "top5": None}


def test_a_sample_with_a_score_that_is_not_a_number_is_wrong() -> None:
    assert accuracy([[0, np.nan, 9, 0, 0, 0]], [2]) == {"top1": 0, "top5": 0}


@given(
    scores=hnp.arrays(np.float32, (4, 7), elements=st.integers(0, 3).map(float)),
    labels=hnp.arrays(np.int64, 4, elements=st.integers(0, 6)),
)
def test_ties_are_broken_as_by_sorting_stably(scores: np.ndarray, labels: np.ndarray) -> None:
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = {k: [label in row[:k] for row, label in zip(order, labels, strict=True)] for k in (1, 5)}
    assert accuracy(scores, labels) == {"top1": np.mean(hits[1]), "top5": np.mean(hits[5])}


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_beyond_the_classes_is_refused(label: int) -> None:
    with pytest.raises(BadDataError, match="knows 3 classes"):
        accuracy([[0, 1, 2], [0, 1, 2]], [0, label])
