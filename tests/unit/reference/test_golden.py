"""Our scales against the tables that TensorRT 8.5.3.1 wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.reference.runs import golden_observation, golden_scales, tensorrt_scales
from trtfarm_builder.reference.entropy import divergences
from trtfarm_builder.reference.histogram import BINS
from trtfarm_builder.reference.levels import CANDIDATES

LENET_TENSORS = (
    "data",
    "/c1/Conv_output_0",
    "/MaxPool_output_0",
    "/c2/Conv_output_0",
    "/MaxPool_1_output_0",
    "/Flatten_output_0",
    "/f1/Gemm_output_0#product",
    "/f1/Gemm_output_0",
    "/Relu_output_0",
    "/f2/Gemm_output_0#product",
    "/f2/Gemm_output_0",
    "prob",
)
#: What rounding and TF32 may move a range by, far less than a histogram's bin (1 / 2048).
SAME_BIN = 1e-5


@pytest.mark.parametrize(("model", "batch_size"), [("lenet", 10), ("lenet", 50), ("zoo", 50)])
def test_minmax(golden: Path, model: str, batch_size: int) -> None:
    ours = golden_scales(golden, model, "minmax", batch_size)
    theirs = tensorrt_scales(golden, model, f"minmax-bs{batch_size}")
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("tensor", LENET_TENSORS)
@pytest.mark.parametrize("batch_size", [1, 10, 50, 250, 500])
def test_entropy2_bins_on_lenet(golden: Path, batch_size: int, tensor: str) -> None:
    ours = golden_scales(golden, "lenet", "entropy2", batch_size)
    theirs = tensorrt_scales(golden, "lenet", f"entropy2-bs{batch_size}")
    assert ours[tensor] == pytest.approx(theirs[tensor], rel=SAME_BIN)


def test_entropy2_bins_on_the_zoo(golden: Path) -> None:
    ours = golden_scales(golden, "zoo", "entropy2", 50)
    theirs = tensorrt_scales(golden, "zoo", "entropy2-bs50")
    assert len(theirs) == 39
    other = [name for name in theirs if ours[name] != pytest.approx(theirs[name], rel=SAME_BIN)]
    assert other in ([], ["/Div_output_0"])
    for name in other:
        assert _divergence_ratio(golden, name, theirs[name]) < 1.001


def _divergence_ratio(golden: Path, tensor: str, scale: float) -> float:
    """The divergence at TensorRT's choice over the least one, on our histogram."""
    observation = golden_observation(golden, "zoo", 50)
    seen = observation.statistics[observation.subject.origins[tensor]].summary()
    divergence = divergences(seen)
    chosen = round(scale * 127 / (seen.range / BINS) - 0.5)
    return float(divergence[chosen - CANDIDATES[0]] / divergence.min())


def test_entropy_before_fusion_is_entropy2(golden: Path) -> None:
    ours = golden_scales(golden, "lenet", "entropy", 50)
    assert ours == golden_scales(golden, "lenet", "entropy2", 50)
    theirs = tensorrt_scales(golden, "lenet", "entropy-bs50")
    assert ours == pytest.approx(theirs, rel=SAME_BIN)


@pytest.mark.parametrize("tensor", LENET_TENSORS)
@pytest.mark.parametrize(
    ("quantile", "table"), [(0.5, "legacy-bs50-q0.5"), (0.99, "legacy-bs50-q0.99"), (0.9999, "legacy-bs50")]
)
def test_legacy(golden: Path, quantile: float, table: str, tensor: str) -> None:
    ours = golden_scales(golden, "lenet", "legacy", 50, quantile)
    assert ours[tensor] == pytest.approx(tensorrt_scales(golden, "lenet", table)[tensor], rel=SAME_BIN)


@pytest.mark.parametrize(("model", "table"), [("lenet", "entropy2-bs50"), ("zoo", "entropy2-bs50")])
def test_scales_come_in_the_order_of_tensorrts_tables(golden: Path, model: str, table: str) -> None:
    theirs = list(tensorrt_scales(golden, model, table))
    ours = golden_scales(golden, model, "entropy2", 50)
    assert [name for name in ours if name in theirs] == theirs


def test_batch_size_changes_entropy_and_not_minmax(golden: Path) -> None:
    assert golden_scales(golden, "lenet", "entropy2", 1) != golden_scales(golden, "lenet", "entropy2", 500)
    tens, fifties = (list(golden_scales(golden, "lenet", "minmax", size).values()) for size in (10, 50))
    assert np.allclose(tens, fifties, rtol=1e-6, atol=0)
