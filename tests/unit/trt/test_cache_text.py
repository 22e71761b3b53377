from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.tables.table import CalibrationTable
from trtfarm_builder.failures import BadTableError
from trtfarm_builder.trt.cache_text import check_scales, parse_cache, scale_of


def _tables(golden: Path) -> list[Path]:
    return sorted(golden.glob("*/*.table"))


def test_what_tensorrt_wrote_is_read_and_written_to_the_byte(golden: Path) -> None:
    for path in _tables(golden):
        data = path.read_bytes()
        cache = parse_cache(data)
        assert cache.render() == data
        assert cache.calibrator == path.stem.split("-")[0]
        check_scales(cache.scales)


def test_the_farm_and_the_child_read_the_same(golden: Path) -> None:
    for path in _tables(golden):
        theirs = CalibrationTable.parse(path.read_bytes())
        ours = parse_cache(path.read_bytes())
        assert list(ours.scales.items()) == list(theirs.scales.items())
        assert ours.calibrator == theirs.calibrator


def test_legacy_tells_its_parameters(golden: Path) -> None:
    cache = parse_cache((golden / "lenet" / "legacy-bs50-q0.99.table").read_bytes())
    assert (cache.quantile, cache.cutoff, cache.digits) == (0.99, 1.0, "")


def test_a_scale_is_amax_by_127() -> None:
    assert scale_of("3c010204") == pytest.approx(1 / 127)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"TRT-8503-NoSuchCalibration\nx: 3c010204\n",
        b"8503-MinMaxCalibration\nx: 3c010204\n",
        b"TRT-8503-MinMaxCalibration\nx: 3c0102\n",
        b"TRT-8503-MinMaxCalibration\nx 3c010204\n",
        b"TRT-8503-MinMaxCalibration\nx: 3c010204\nx: 3c010204\n",
    ],
)
def test_what_tensorrt_would_misread_is_refused(text: bytes) -> None:
    with pytest.raises(BadTableError):
        parse_cache(text)


@pytest.mark.parametrize("scale", ["00000000", "80000000", "bc010204", "7f800000", "7fc00000"])
def test_scales_that_build_nothing_are_refused(scale: str) -> None:
    with pytest.raises(BadTableError, match="'conv'"):
        check_scales({"x": "3c010204", "conv": scale})


def test_an_empty_table_is_called_so() -> None:
    with pytest.raises(BadTableError, match="the table is empty"):
        parse_cache(b"\n")


def test_names_may_hold_the_separator() -> None:
    cache = parse_cache(b"TRT-8503-MinMaxCalibration\nx: 0: 3c010204\n(Unnamed Layer* 1) [Constant]_output: 3c010204\n")
    assert list(cache.scales) == ["x: 0", "(Unnamed Layer* 1) [Constant]_output"]
