"""Words for what a verification measured, also where there is nothing to measure."""

from __future__ import annotations

from typing import Any

import pytest

from trtfarm_cli import accuracy

PERFECT = {"cosine_mean": 1.0, "cosine_min": 1.0, "snr_db": None, "max_abs_error": 0.0, "broken_samples": 0}
BROKEN = {"cosine_mean": 0.9, "cosine_min": 0.0, "snr_db": None, "max_abs_error": None, "broken_samples": 3}


def metrics(**outputs: dict[str, Any]) -> dict[str, Any]:
    return {"samples": 50, "simulated": True, "outputs": outputs, "classification": None}


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (PERFECT, "y: cosine 1.00000 (worst 1.00000), largest error 0"),
        (BROKEN, "y: cosine 0.90000 (worst 0.00000), 3 samples with values that are not numbers"),
        ({**PERFECT, "snr_db": 41.26}, "y: cosine 1.00000 (worst 1.00000), SNR 41.3 dB, largest error 0"),
        ({"equal_share": 0.98}, "y: 98.00% of the integers are equal"),
    ],
)
def test_measures_that_have_no_value_are_left_out(measured: dict[str, Any], words: str) -> None:
    assert list(accuracy.lines(metrics(y=measured), "int8")) == [f"{words}  (50 samples, simulated on the CPU)"]


def test_labels_come_first() -> None:
    classes = {"reference": {"top1": 0.964, "top5": 1.0}, "candidate": {"top1": 0.95, "top5": 1.0}}
    found = {**metrics(y=PERFECT), "classification": classes}
    [line] = accuracy.lines(found, "int8")
    assert line.startswith("FP32 Top1: 0.9640, Top5: 1.0000  INT8 Top1: 0.9500, Top5: 1.0000")
    assert accuracy.brief(found) == "top-1 95.00% (FP32 96.40%)"


def test_five_classes_or_fewer_have_no_top_5() -> None:
    classes = {"reference": {"top1": 0.9, "top5": None}, "candidate": {"top1": 0.8, "top5": None}}
    [line] = accuracy.lines({**metrics(y=PERFECT), "classification": classes}, "int8")
    assert line == "FP32 Top1: 0.9000  INT8 Top1: 0.8000  (50 samples, simulated on the CPU)"


def test_in_brief_the_worst_output_counts() -> None:
    assert accuracy.brief(metrics(y=PERFECT, z=BROKEN)) == "cosine 0.9000"
    assert accuracy.brief(metrics(y={"equal_share": 1.0})) is None
    assert accuracy.brief(None) is None
