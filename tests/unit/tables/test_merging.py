from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tables.strategies import names, sound
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.errors import TableError
from trtfarm.tables.merging import complete, merge_shards
from trtfarm.tables.scales import float32_from_hex
from trtfarm.tables.table import CalibrationTable
from trtfarm.tables.validation import validate
from trtfarm.versions import TensorRTVersion

V8 = TensorRTVersion.parse("8.5.3.1")
MINMAX = CalibrationRule.of(Calibrator.MINMAX, batch_size=50)
ENTROPY2 = CalibrationRule.of(Calibrator.ENTROPY2, batch_size=50)


def table_of(rule: CalibrationRule = MINMAX, version: TensorRTVersion = V8, **scales: str) -> CalibrationTable:
    return CalibrationTable.of(scales, rule, version)


def test_shards_of_minmax_give_the_largest_scale_of_each_tensor() -> None:
    merged = merge_shards([table_of(a="3c010204", b="3f800000"), table_of(b="3f000000", a="3d010204")])
    assert merged.render() == b"TRT-8503-MinMaxCalibration\na: 3d010204\nb: 3f800000\n"


def test_a_tensor_that_was_silent_in_one_shard_is_kept_and_nan_is_not_hidden() -> None:
    shards = [table_of(a="00000000", b="7fc00000"), table_of(a="3c010204", b="3f800000")]
    for merged in (merge_shards(shards), merge_shards(shards[::-1])):
        assert merged.scales == {"a": "3c010204", "b": "7fc00000"}
        assert any(problem.tensor == "b" for problem in validate(merged))


@given(st.dictionaries(names, st.tuples(sound, sound, sound), min_size=1, max_size=8))
def test_merging_does_not_depend_on_the_order_of_shards(scales: dict[str, tuple[str, str, str]]) -> None:
    shards = [CalibrationTable.of({name: three[i] for name, three in scales.items()}, MINMAX, V8) for i in range(3)]
    merged = merge_shards(shards)
    assert merge_shards(shards[::-1]) == merged == merge_shards([merge_shards(shards[:2]), shards[2]])
    for name, three in scales.items():
        assert float32_from_hex(merged.scales[name]) == max(map(float32_from_hex, three))


def test_histogram_calibrators_cannot_be_merged_from_tables(golden: Path) -> None:
    for name in ("entropy2-bs50", "entropy-bs50", "legacy-bs50"):
        table = CalibrationTable.parse((golden / "lenet" / f"{name}.table").read_bytes())
        with pytest.raises(TableError, match="cannot be merged"):
            merge_shards([table, table])


@pytest.mark.parametrize(
    "other",
    [table_of(a="3c010204", c="3c010204"), table_of(version=TensorRTVersion(8, 6, 1), a="3c010204", b="3c010204")],
)
def test_shards_of_different_calibrations_are_refused(other: CalibrationTable) -> None:
    with pytest.raises(TableError, match=r"do not hold the same tensors: 'b', 'c'|headers of shard 1 and shard 2"):
        merge_shards([table_of(a="3c010204", b="3c010204"), other])


def test_no_shards_are_refused() -> None:
    with pytest.raises(TableError, match="no tables"):
        merge_shards([])


def test_completing_adds_what_is_lacking_at_the_end(golden: Path) -> None:
    whole = CalibrationTable.parse((golden / "lenet" / "entropy2-bs50.table").read_bytes())
    named = CalibrationTable.of({k: v for k, v in whole.scales.items() if "Unnamed" not in k}, ENTROPY2, V8)
    completed = complete(named, whole)
    assert completed.scales == whole.scales
    assert list(completed.scales)[: len(named.scales)] == list(named.scales)
    assert complete(completed, named) == completed


def test_completing_takes_no_side_in_a_conflict() -> None:
    with pytest.raises(TableError, match="1 tensors have different scales in the two tables: 'a'"):
        complete(table_of(a="3c010204"), table_of(a="3c010205", b="3c010204"))


def test_completing_needs_the_same_header() -> None:
    with pytest.raises(TableError, match="headers"):
        complete(table_of(a="3c010204"), table_of(ENTROPY2, b="3c010204"))
