from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trtfarm_builder.reference.entropy import Entropy, divergences
from trtfarm_builder.reference.histogram import BINS, Distribution
from trtfarm_builder.reference.levels import CANDIDATES, LEVELS

Counts = NDArray[np.int64]


def by_definition(counts: Counts, candidate: int) -> float:
    """KL(P || Q) of one candidate, bin by bin."""
    counts = counts.copy()
    counts[0] = counts[1]
    p = counts[:candidate].astype(np.float64)
    p[-1] += counts[candidate:].sum()
    inside = counts[:candidate].astype(np.float64)
    level = np.arange(candidate) * LEVELS // candidate
    mean = np.bincount(level, inside, LEVELS) / np.maximum(np.bincount(level, inside > 0, LEVELS), 1)
    q = np.where(inside > 0, mean[level], 0)
    p, q = p / p.sum(), q / q.sum()
    q[q == 0] = 1e-12
    used = p > 0
    return float((p[used] * np.log(p[used] / q[used])).sum())


def histograms() -> dict[str, Counts]:
    random = np.random.default_rng(5)
    gauss, _ = np.histogram(np.abs(random.standard_normal(50_000)), BINS, (0, 5))
    heavy, _ = np.histogram(np.abs(random.standard_t(2, 50_000)).clip(0, 40), BINS, (0, 40))
    sparse = random.integers(0, 30, BINS) * (random.random(BINS) < 0.02)
    sparse[-1] = 1
    relu = gauss.copy()
    relu[0] = 10**9
    huge = np.maximum(gauss, 1) * 10**7
    return {"gauss": gauss, "heavy": heavy, "sparse": sparse, "relu": relu, "huge": huge}


@pytest.mark.parametrize("name", list(histograms()))
def test_divergences_follow_their_definition(name: str) -> None:
    counts = histograms()[name].astype(np.int64)
    seen = divergences(Distribution(counts=counts, range=1.0))
    for candidate in (128, 129, 200, 777, 1024, 1531, 2047, 2048):
        have = seen[candidate - CANDIDATES[0]]
        if np.isfinite(have):
            assert have == pytest.approx(by_definition(counts, candidate), rel=1e-9, abs=1e-11)


def test_candidates_that_clip_half_the_mass_are_passed_over() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[1], counts[1000], counts[2047] = 10, 1, 30
    counts[2] = 1
    seen = divergences(Distribution(counts=counts, range=1.0))
    assert np.isinf(seen[:-1]).all()
    assert np.isfinite(seen[-1])


def test_the_widest_of_tied_candidates_wins() -> None:
    """As TensorRT chose among five candidates of equal divergence (LeNet's output at batch size 1)."""
    counts = np.zeros(BINS, np.int64)
    counts[200] = 5  # every candidate from 201 on represents this without loss
    assert Entropy().amax(Distribution(counts=counts, range=2048.0)) == 2048.5


def test_zeros_do_not_count() -> None:
    counts = histograms()["gauss"].astype(np.int64)
    more = counts.copy()
    more[0] += 10**12
    assert Entropy().amax(Distribution(counts=counts, range=1.0)) == Entropy().amax(
        Distribution(counts=more, range=1.0)
    )


def test_the_range_scales_the_result() -> None:
    counts = histograms()["gauss"].astype(np.int64)
    small, large = (Entropy().amax(Distribution(counts=counts, range=top)) for top in (1.0, 1024.0))
    assert large == small * 1024
    assert 0 < small < 1
