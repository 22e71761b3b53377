"""Tables keep every bit: the golden ones byte for byte, made ones by property."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.tables.strategies import bits, names, rules, tables, versions
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.errors import TableError, UsageError
from trtfarm.tables.headers import LegacyHeader, UnknownHeader, VersionHeader
from trtfarm.tables.table import CalibrationTable
from trtfarm.tables.validation import load, validate
from trtfarm.versions import TensorRTVersion

ENTROPY2 = CalibrationRule.of(Calibrator.ENTROPY2, batch_size=50)
V8 = TensorRTVersion.parse("8.5.3.1")


def golden_tables(golden: Path) -> list[Path]:
    found = sorted(golden.glob("*/*.table"))
    assert len(found) >= 15
    return found


def test_golden_tables_are_rendered_byte_for_byte(golden: Path) -> None:
    for path in golden_tables(golden):
        table = CalibrationTable.parse(path.read_bytes())
        assert table.render() == path.read_bytes(), path
        assert not table.damage
        assert validate(table) == []


def test_golden_tables_say_who_made_them(golden: Path) -> None:
    for path in golden_tables(golden):
        table = load(path.read_bytes(), name=str(path))
        calibrator = Calibrator(path.name.split("-")[0])
        assert table.calibrator is calibrator
        assert table.version == (None if calibrator is Calibrator.LEGACY else TensorRTVersion(8, 5, 3))


@pytest.mark.parametrize(("name", "quantile"), [("legacy-bs50", 0.9999), ("legacy-bs50-q0.99", 0.99)])
def test_legacy_header_holds_cutoff_and_quantile(golden: Path, name: str, quantile: float) -> None:
    header = load((golden / "lenet" / f"{name}.table").read_bytes()).header
    assert isinstance(header, LegacyHeader)
    assert header.parameters == {"cutoff": 1.0, "quantile": quantile}


def test_golden_scales_are_those_of_the_digits(golden: Path) -> None:
    table = load((golden / "lenet" / "minmax-bs50.table").read_bytes())
    assert table.scales["data"] == "3c010204"
    # The digits' largest pixel is 1; 1 / 127 in float32, times 127, is 1 again.
    assert table.amax("data") == 1.0
    assert list(table.scales)[:2] == ["data", "/c1/Conv_output_0"]
    assert "(Unnamed Layer* 10) [Constant]_output" in table.scales


def test_table_of_scales_equals_the_golden_one(golden: Path) -> None:
    for name, rule in (
        ("entropy2-bs50", ENTROPY2),
        ("minmax-bs10", CalibrationRule.of(Calibrator.MINMAX, batch_size=10)),
        ("legacy-bs50", CalibrationRule.of(Calibrator.LEGACY, batch_size=50)),
        ("legacy-bs50-q0.5", CalibrationRule.of(Calibrator.LEGACY, batch_size=50, quantile=0.5)),
        ("entropy-bs50-after-fusion", CalibrationRule.of(Calibrator.ENTROPY, batch_size=50, before_fusion=False)),
    ):
        written = (golden / "lenet" / f"{name}.table").read_bytes()
        assert CalibrationTable.of(CalibrationTable.parse(written).scales, rule, V8).render() == written


@given(tables())
def test_what_is_rendered_is_parsed_again(table: CalibrationTable) -> None:
    again = CalibrationTable.parse(table.render())
    assert again == table
    assert not again.damage
    assert again.render() == table.render()


@given(st.binary(max_size=400))
@example(b"")
@example(b"\n")
@example(b"\r\n\r")
@example(b"\xff\xfe: 3c010204")
@example(b"TRT-8503-MinMaxCalibration\n: 3c010204\na: \xef\xbc\x91c010204\n")
def test_any_bytes_are_parsed_and_only_undamaged_ones_are_kept_whole(data: bytes) -> None:
    table = CalibrationTable.parse(data)
    if data and not table.damage:
        assert table.render() == data
    validate(table, expected=Calibrator.MINMAX, tensorrt=V8, tensors=["x"])
    with contextlib.suppress(TableError):
        load(data)


@given(tables(min_size=1), st.data())
def test_a_damaged_table_never_raises_anything_but_table_errors(table: CalibrationTable, data: st.DataObject) -> None:
    text = bytearray(table.render())
    for _ in range(3):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        kept = load(bytes(text))
    except TableError:
        return
    assert all(float.fromhex("0x1p-126") <= struct.unpack(">f", bytes.fromhex(s))[0] for s in kept.scales.values())


@given(bits)
def test_amax_is_scale_times_127_in_float32(digits: str) -> None:
    table = CalibrationTable.of({"x": digits}, ENTROPY2, V8)
    scale = np.frombuffer(bytes.fromhex(digits), ">f4")[0].astype(np.float32)
    with np.errstate(all="ignore"):
        expected = scale * np.float32(127)
    np.testing.assert_equal(np.float32(table.amax("x")), expected)


@given(st.dictionaries(names, bits), rules(), rules(), versions, versions)
def test_scales_digest_is_of_the_scales_alone(
    scales: dict[str, str],
    rule: CalibrationRule,
    other_rule: CalibrationRule,
    version: TensorRTVersion,
    other_version: TensorRTVersion,
) -> None:
    one = CalibrationTable.of(scales, rule, version)
    two = CalibrationTable.of(dict(reversed(scales.items())), other_rule, other_version)
    assert one.scales_digest == two.scales_digest
    assert (one.digest == two.digest) == (one.render() == two.render())
    longer_than_any = "x" * 31
    more = CalibrationTable.of({**scales, longer_than_any: "3c010204"}, rule, version)
    assert more.scales_digest != one.scales_digest


@pytest.mark.parametrize("name", ["", "a\nb", "a\r", "tab\tbed", "\ud800", "a: 3c010204\nb"])
def test_names_that_no_line_can_hold_are_refused(name: str) -> None:
    with pytest.raises(TableError):
        CalibrationTable.of({name: "3c010204"}, ENTROPY2, V8)


@pytest.mark.parametrize("digits", ["3C010204", "3c01020", "3c0102040", "0x3c0102", "", "3c0102 4", "٣c010204"])
def test_digits_that_are_no_float32_are_refused(digits: str) -> None:
    with pytest.raises(TableError):
        CalibrationTable.of({"x": digits}, ENTROPY2, V8)


def test_oversize_files_are_refused_unread() -> None:
    with pytest.raises(TableError, match="33,554,433 bytes are too many"):
        CalibrationTable.parse(b"\n" * (32 * 1024 * 1024 + 1))


def test_reading_stops_in_a_file_that_is_no_table() -> None:
    table = CalibrationTable.parse(b"TRT-8503-MinMaxCalibration\n" + b"rubbish\n" * 1_000)
    assert table.damage[-1].what == "reading stopped here"
    assert len(table.damage) == 102


def test_restamp_writes_six_digits_from_10_on() -> None:
    table = CalibrationTable.of({"x": "3c010204"}, ENTROPY2, V8)
    assert table.restamp(TensorRTVersion.parse("8.6.1")).render() == b"TRT-8601-EntropyCalibration2\nx: 3c010204\n"
    assert (
        table.restamp(TensorRTVersion.parse("10.3.0.26")).render() == b"TRT-100300-EntropyCalibration2\nx: 3c010204\n"
    )
    assert table.render() == b"TRT-8503-EntropyCalibration2\nx: 3c010204\n"


@given(tables(), versions)
def test_restamp_changes_the_header_alone(table: CalibrationTable, version: TensorRTVersion) -> None:
    if isinstance(table.header, LegacyHeader):
        with pytest.raises(TableError, match="re-stamped"):
            table.restamp(version)
    else:
        new = table.restamp(version)
        assert new.version == version
        assert new.entries == table.entries
        assert new.scales_digest == table.scales_digest


def test_restamp_needs_a_version_with_a_patch_number() -> None:
    with pytest.raises(UsageError, match="too short"):
        CalibrationTable.of({"x": "3c010204"}, ENTROPY2, V8).restamp(TensorRTVersion.parse("10.13"))


@pytest.mark.parametrize("text", ["8.5.345", "8.12.0", "9.10.1", "10.100.0"])
def test_a_version_that_the_digits_cannot_tell_is_refused(text: str) -> None:
    """8845 is 8.8.45: TensorRT would be told another version."""
    with pytest.raises(UsageError, match=f"can say TensorRT {text}"):
        VersionHeader.of(TensorRTVersion.parse(text), "MinMaxCalibration")


def test_no_table_is_written_for_a_tensorrt_that_reads_none() -> None:
    version = TensorRTVersion.parse("11.4.0")
    with pytest.raises(UsageError, match=r"TensorRT 11\.4\.0 reads no calibration tables"):
        CalibrationTable.of({"x": "3c010204"}, ENTROPY2, V8).restamp(version)
    with pytest.raises(UsageError, match="reads no calibration tables"):
        CalibrationTable.of({"x": "3c010204"}, ENTROPY2, version)


def test_restamp_does_not_guess_an_unreadable_header() -> None:
    table = CalibrationTable.parse(b"calibration\nx: 3c010204\n")
    assert table.header == UnknownHeader(text="calibration")
    with pytest.raises(TableError, match="'calibration'"):
        table.restamp(V8)
