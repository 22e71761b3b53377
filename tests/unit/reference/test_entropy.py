from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trtfarm_builder.reference.entropy import Entropy, divergences
from trtfarm_builder.reference.histogram import BINS, Distribution
from trtfarm_builder.reference.levels import CANDIDATES, LEVELS

Counts = NDArray[np.int64]
MINILM: dict[str, Any] = json.loads((Path(__file__).parent / "minilm_entropy2.json").read_text())


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
    used = p > 0
    with np.errstate(divide="ignore"):
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
        have, want = seen[candidate - CANDIDATES[0]], by_definition(counts, candidate)
        assert have == pytest.approx(want, rel=1e-9, abs=1e-11)


def test_candidates_that_clip_nearly_all_of_the_mass_are_passed_over() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[1:131], counts[1000], counts[2047] = 1, 130, 16 * 260
    seen = divergences(Distribution(counts=counts, range=1.0))
    assert np.isinf(seen[:-1]).all()
    assert np.isfinite(seen[-1])


def test_outliers_are_not_piled_upon_an_empty_bin() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[1:100], counts[1500] = 10**6, 1
    seen = divergences(Distribution(counts=counts, range=1.0))
    assert np.isinf(seen[: 1501 - CANDIDATES[0]]).all()
    assert np.isfinite(seen[1501 - CANDIDATES[0] :]).all()


@pytest.mark.parametrize("tensor", MINILM)
def test_tensors_of_minilm_whose_outliers_are_few_and_distant(tensor: str) -> None:
    """What TensorRT 8.5.3.1 chose on an H200 (`minilm_entropy2` of scripts/gpu_check.py), for 200 sentences in 20s."""
    counts = np.zeros(BINS, np.int64)
    for number, count in MINILM[tensor]["counts"].items():
        counts[int(number)] = count
    seen = Distribution(counts=counts, range=float(BINS))
    assert Entropy().amax(seen) == MINILM[tensor]["chosen"] + 0.5


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
