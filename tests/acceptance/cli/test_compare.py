"""`--calibrator auto`: each candidate calibrates, is measured on held-out data, and the best one's table is used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program

_USAGE = 2
_AUTO = ("--calibrator", "auto")


def test_the_best_is_kept_the_others_stay_and_all_of_it_is_found_again(builder: Program, digits: Path) -> None:
    unlabelled = shutil.copytree(digits, builder.folder / "unlabelled")
    (unlabelled / "test" / "labels.npy").unlink()
    request = ("submit", digits / "lenet.onnx", "--data", unlabelled, "--target", "sm_89")
    facts = builder.json(*request, *_AUTO)
    compared = facts["calibrators"]
    assert [item["calibrator"] for item in compared] == ["minmax", "entropy2", "percentile", "mse"]
    best = min(compared, key=lambda item: item["drop"])
    assert [item["calibrator"] for item in compared if item["chosen"]] == [best["calibrator"]]
    assert facts["table"]["id"] == best["table"]
    assert facts["engines"][0]["calibrator"] == best["calibrator"]
    assert facts["verification"]["outputs"] == best["metrics"]["outputs"]
    jobs = [job["kind"] for job in builder.json("jobs", "list")]
    assert {kind: jobs.count(kind) for kind in set(jobs)} == {"calibrate": 4, "quantize": 4, "verify": 4, "build": 1}

    again = builder.ok(*request, *_AUTO)
    assert "hit: everything was there already" in again.out
    assert f"{best['table']}  chosen" in again.out
    loser = next(item["calibrator"] for item in compared if not item["chosen"])
    steps = {step["step"]: step["hit"] for step in builder.json(*request, "--calibrator", loser, "--dry-run")}
    assert (steps["calibrate"], steps["quantize"], steps["verify"]) == (True, True, True)
    told = builder.ok(*request, *_AUTO, "--dry-run").out
    assert f"choose: hit, {best['table']}" in told


def test_top_1_decides_where_there_are_labels_and_the_first_of_equals_wins(builder: Program, digits: Path) -> None:
    facts = builder.json("submit", digits / "lenet.onnx", *_AUTO, "--target", "sm_89", "--max-drop", "5%", "--search")
    least = min(item["drop"] for item in facts["calibrators"])
    assert next(item["drop"] for item in facts["calibrators"] if item["chosen"]) == least
    assert next(item["chosen"] for item in facts["calibrators"] if item["drop"] == least)
    assert facts["search"]["found"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--table", "x.table"), "nothing is calibrated"),
        (("--cutoff", "0.5"), "compares minmax, entropy2, percentile, mse"),
        (("--precision", "fp16"), "not quantised"),
        (("--quantile", "2"), "above 0 and up to 1"),
    ],
)
def test_what_it_cannot_do_is_refused(builder: Program, digits: Path, options: tuple[str, ...], words: str) -> None:
    error = builder.fails(_USAGE, "submit", digits / "lenet.onnx", *_AUTO, *options)
    assert words in " ".join(map(str, error.values()))


def test_without_held_out_data_it_says_what_to_do(builder: Program, digits: Path) -> None:
    shutil.copy(digits / "data.npy", builder.folder)
    error = builder.fails(_USAGE, "submit", digits / "lenet.onnx", "--data", "data.npy", *_AUTO, "--target", "sm_89")
    assert "--test-data" in error["remedy"]
    assert builder.rows() == {}
