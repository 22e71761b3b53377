"""The legacy rule with a cutoff below 1 against what TensorRT 8.5.3.1 gave on a GPU (scripts/legacy_cutoff)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.legacy_cutoff.shapes import shapes
from tests.unit.reference.runs import golden_observation, scale_of
from trtfarm_builder.reference.histogram import Distribution
from trtfarm_builder.reference.legacy import Legacy

MEASURED: dict[str, Any] = json.loads((Path(__file__).parent / "legacy_cutoff.json").read_text())
QUANTILE: float = MEASURED["quantile"]


@pytest.mark.parametrize("name", MEASURED["shapes"])
def test_known_histograms(name: str) -> None:
    counts, top = shapes()[name]
    ours, theirs = {}, {}
    for cutoff, digits in MEASURED["shapes"][name].items():
        ours[cutoff] = Legacy(QUANTILE, float(cutoff)).amax(Distribution(counts=counts, range=top))
        theirs[cutoff] = scale_of(digits) * 127
    assert len(theirs) == 8
    assert ours == pytest.approx(theirs, rel=2e-5)


def golden_ranges(golden: Path, model: str) -> tuple[dict[str, float], dict[str, float]]:
    """Ours and theirs by `tensor @ cutoff`."""
    observation = golden_observation(golden, model, 50)
    ours, theirs = {}, {}
    for tensor, by_cutoff in MEASURED[f"{model}-bs50"].items():
        seen = observation.statistics[observation.subject.origins[tensor]].summary()
        for cutoff, digits in by_cutoff.items():
            ours[f"{tensor} @ {cutoff}"] = Legacy(QUANTILE, float(cutoff)).amax(seen)
            theirs[f"{tensor} @ {cutoff}"] = scale_of(digits) * 127
    return ours, theirs


def apart(ours: dict[str, float], theirs: dict[str, float], rel: float) -> dict[str, tuple[float, float]]:
    return {name: (ours[name], theirs[name]) for name in theirs if ours[name] != pytest.approx(theirs[name], rel=rel)}


def test_lenet(golden: Path) -> None:
    """One tensor's two fullest bins hold 1,264 values each, and rounding on the GPU decides which of them is first."""
    ours, theirs = golden_ranges(golden, "lenet")
    others = apart(ours, theirs, 2e-3)
    assert {name.split(" @ ")[0] for name in others} == {"/f1/Gemm_output_0"}


def test_the_zoo(golden: Path) -> None:
    """Not looked at when the formula was fitted."""
    ours, theirs = golden_ranges(golden, "zoo")
    assert len(theirs) == 38
    assert len(apart(ours, theirs, 1e-3)) <= 2
    assert apart(ours, theirs, 5e-3) == {}
