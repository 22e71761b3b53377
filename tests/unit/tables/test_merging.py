from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tables.strategies import names, sound
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.errors import TableError
from trtfarm.tables.merging import merged
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

V8 = TensorRTVersion.parse("8.5.3.1")
MINMAX = CalibrationRule.of(Calibrator.MINMAX, batch_size=50)
ENTROPY2 = CalibrationRule.of(Calibrator.ENTROPY2, batch_size=50)


def table_of(rule: CalibrationRule = MINMAX, version: TensorRTVersion = V8, **scales: str) -> CalibrationTable:
    return CalibrationTable.of(scales, rule, version)


def test_what_a_table_lacks_comes_after_its_own(golden: Path) -> None:
    whole = CalibrationTable.parse((golden / "lenet" / "entropy2-bs50.table").read_bytes())
    part = CalibrationTable.of({k: v for k, v in whole.scales.items() if "Unnamed" not in k}, ENTROPY2, V8)
    completed = merged({"part": part, "whole": whole})
    assert completed.scales == whole.scales
    assert list(completed.scales)[: len(part.scales)] == list(part.scales)
    assert merged({"completed": completed, "part": part}) == completed


@given(st.dictionaries(names, st.tuples(sound, st.integers(0, 2)), min_size=3, max_size=8))
def test_parts_give_the_whole(scales: dict[str, tuple[str, int]]) -> None:
    """Whatever part each tensor is in, and in whatever order they come."""
    parts = {
        str(part): CalibrationTable.of({k: v for k, (v, where) in scales.items() if where <= part}, MINMAX, V8)
        for part in (2, 0, 1)
    }
    whole = {name: scale for name, (scale, _) in scales.items()}
    assert merged(parts).scales == merged(dict(sorted(parts.items()))).scales == whole


def test_scales_that_differ_are_named_with_the_tables_that_have_them() -> None:
    tables = {
        "one": table_of(a="3c010204"),
        "two": table_of(b="3c010204"),
        "three": table_of(c="3c010204", b="3c010205", a="3c010204"),
    }
    with pytest.raises(TableError) as caught:
        merged(tables)
    assert caught.value.message == "three has other scales than two: 'b'"
    assert "trtfarm tables diff two three" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    "other", [table_of(ENTROPY2, b="3c010204"), table_of(version=TensorRTVersion(8, 6, 1), b="3c010204")]
)
def test_tables_of_other_calibrators_and_versions_are_refused(other: CalibrationTable) -> None:
    with pytest.raises(TableError, match="the headers of one and other differ"):
        merged({"one": table_of(a="3c010204"), "other": other})
