from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given

from tests.unit.tables.strategies import tables
from trtfarm.tables.differences import ScaleChange, diff
from trtfarm.tables.table import CalibrationTable


def table_of(text: str) -> CalibrationTable:
    return CalibrationTable.parse(f"TRT-8503-MinMaxCalibration\n{text}".encode())


def golden_table(golden: Path, name: str) -> CalibrationTable:
    return CalibrationTable.parse((golden / "lenet" / f"{name}.table").read_bytes())


def test_minmax_does_not_depend_on_the_batch_size(golden: Path) -> None:
    found = diff(golden_table(golden, "minmax-bs10"), golden_table(golden, "minmax-bs50"))
    assert found.headers is None
    assert found.max_relative < 1e-6
    assert found.equal + len(found.changed) == 18
    assert not found.only_left
    assert not found.only_right


def test_entropy_depends_on_the_batch_size(golden: Path) -> None:
    found = diff(golden_table(golden, "entropy2-bs1"), golden_table(golden, "entropy2-bs500"))
    assert found.changed
    assert found.worst()[0].relative == found.max_relative > 0.01
    assert [change.relative for change in found.worst(3)] == sorted(
        (change.relative for change in found.changed), reverse=True
    )[:3]


def test_a_table_after_fusion_lacks_what_fusion_removed(golden: Path) -> None:
    found = diff(golden_table(golden, "entropy-bs50"), golden_table(golden, "entropy-bs50-after-fusion"))
    assert len(found.only_left) == 11
    assert not found.only_right
    assert not found.same_scales


def test_headers_alone_leave_the_scales_the_same(golden: Path) -> None:
    found = diff(golden_table(golden, "entropy2-bs50"), golden_table(golden, "entropy-bs50"))
    assert found.headers == ("TRT-8503-EntropyCalibration2", "TRT-8503-EntropyCalibration")
    assert found.same_scales
    assert found.equal == 18


def test_changes_have_ratio_and_relative_difference() -> None:
    found = diff(table_of("a: 3f800000\nb: 3f800000\n"), table_of("b: 3fc00000\na: 3f800000\n"))
    (change,) = found.changed
    assert (change.tensor, change.ratio, change.relative) == ("b", 1.5, 0.5)
    assert (found.equal, found.max_relative) == (1, 0.5)


@pytest.mark.parametrize(
    ("left", "right"), [("00000000", "3f800000"), ("3f800000", "7fc00000"), ("7f800000", "ff800000")]
)
def test_changes_without_a_number_count_as_the_worst(left: str, right: str) -> None:
    assert ScaleChange(tensor="x", left=left, right=right).relative == math.inf


@given(tables(), tables())
def test_diff_accounts_for_every_tensor(left: CalibrationTable, right: CalibrationTable) -> None:
    found = diff(left, right)
    both = found.equal + len(found.changed)
    assert len(left.scales) == both + len(found.only_left)
    assert len(right.scales) == both + len(found.only_right)
    assert diff(left, left).same_scales
    assert found.same_scales == (left.scales_digest == right.scales_digest)
    json.dumps(found.as_dict(), allow_nan=False)
