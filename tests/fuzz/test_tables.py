"""Calibration tables: any bytes."""

from __future__ import annotations

from hypothesis import given

from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.fuzz.seeds import tables
from trtfarm.calibrators import Calibrator
from trtfarm.errors import TableError
from trtfarm.tables.differences import diff
from trtfarm.tables.headers import UnknownHeader
from trtfarm.tables.table import CalibrationTable
from trtfarm.tables.validation import load, validate
from trtfarm.versions import TensorRTVersion

WORDS = (b": ", b": 3c010204\n", b": 00000000\n", b": 7fc00000\n", b"TRT-", b"-EntropyCalibration2\n", b"#product")
TENSORS = ("data", "prob", "conv1_bn")


@given(data=mutated(tables(), WORDS))
def test_a_table_is_read_as_it_is_or_refused(data: bytes) -> None:
    table = outcome(lambda: CalibrationTable.parse(data), TableError)
    assert table is not None
    if not table.damage:
        assert table.render() == data
    again = CalibrationTable.parse(table.render())
    assert again.entries == table.entries
    # A first line that is no header is only kept to be shown.
    assert isinstance(table.header, UnknownHeader) or again.header == table.header
    assert diff(table, again).same_scales


@given(data=mutated(tables(), WORDS))
def test_what_is_used_was_found_sound(data: bytes) -> None:
    version = TensorRTVersion.parse("8.5.3.1")
    used = outcome(lambda: load(data, expected=Calibrator.ENTROPY2, tensorrt=version, tensors=TENSORS), TableError)
    problems = outcome(
        lambda: validate(CalibrationTable.parse(data), expected=Calibrator.ENTROPY2, tensorrt=version, tensors=TENSORS)
    )
    assert problems is not None
    assert (used is None) == any(problem.is_error for problem in problems)
    for problem in problems:
        assert str(problem).isprintable()
