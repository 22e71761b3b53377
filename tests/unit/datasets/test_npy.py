"""The `.npy` format: numpy's own files, and files that numpy would never write."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.datasets.samples import array, npy, prepared, refusal, tensor
from trtfarm.datasets import limits
from trtfarm.datasets.npy import canonical_header
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.digests import digest_of_file


def _file(path: Path, header: str, data: bytes = b"", *, version: int = 1) -> Path:
    text = header.encode("latin1")
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + bytes((version, 0)) + length + text + data)
    return path


def _header(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 4)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (500, 1, 28, 28), (3, 2), (10**6, 1)])
def test_header_is_the_one_numpy_writes(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    values = np.broadcast_to(np.zeros((), dtype), shape)
    np.save(tmp_path / "x.npy", np.ascontiguousarray(values))
    header = canonical_header(np.dtype(dtype), shape)
    assert (tmp_path / "x.npy").read_bytes()[: len(header)] == header
    assert len(header) % 64 == 0


def test_values_arrive_whole(tmp_path: Path) -> None:
    values = array(1000, 4)
    data = prepared(npy(tmp_path / "x.npy", values))
    result = data.inputs["x"]
    assert np.array_equal(np.load(result.path, mmap_mode="r"), values)
    assert (result.dtype, result.shape, data.samples) == ("float32", (1000, 4), 1000)
    assert result.digest == digest_of_file(result.path)


def test_values_arrive_whole_in_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", 100)
    values = array(37, 4)
    assert np.array_equal(np.load(prepared(npy(tmp_path / "x.npy", values)).inputs["x"].path), values)


def test_a_canonical_file_can_stay_where_it_is(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(10, 4))
    data = prepared(path, copy=False)
    assert data.inputs["x"].path == path
    assert data.inputs["x"].digest == digest_of_file(path)
    assert data.digest == prepared(path, copy=True).digest
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "x.npy"]


@pytest.mark.parametrize("version", [2, 3])
def test_other_versions_are_copied_to_the_same_data(tmp_path: Path, version: int) -> None:
    values = array(2, 4)
    other = _file(tmp_path / "x.npy", _header(), values.tobytes(), version=version)
    data = prepared(other, copy=False)
    assert data.inputs["x"].path != other
    assert data.digest == prepared(npy(tmp_path / "y.npy", values)).digest


def test_big_endian_is_converted(tmp_path: Path) -> None:
    values = array(5, 4)
    big = prepared(npy(tmp_path / "x.npy", values.astype(">f4")), copy=False)
    assert np.array_equal(np.load(big.inputs["x"].path), values)
    assert big.digest == prepared(npy(tmp_path / "y.npy", values)).digest


def test_fortran_order_is_refused_with_a_remedy(tmp_path: Path) -> None:
    assert "ascontiguousarray" in refusal(npy(tmp_path / "x.npy", np.asfortranarray(array(5, 4))))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert "pickled" in refusal(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Bomb()))
    assert "not a .npy file" in refusal(tmp_path / "x.npy")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2, [("a", "f4"), ("b", "i4")]),
        np.zeros(2, "U5"),
        np.zeros(2, "S5"),
        np.zeros(2, "c8"),
        np.zeros(2, "M8[s]"),
        np.zeros(2, "V4"),
    ],
    ids=lambda value: str(value.dtype),
)
def test_only_plain_numbers(tmp_path: Path, value: np.ndarray[tuple[int], np.dtype[np.generic]]) -> None:
    np.save(tmp_path / "x.npy", value)
    assert "holds elements of type" in refusal(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "header",
    [
        _header(shape="(2, -4)"),
        _header(shape="[2, 4]"),
        _header(shape="(2, 4.0)"),
        _header(shape="(True, 4)"),
        _header(shape="(" + "1, " * 33 + ")"),
        _header(shape="(0x" + "f" * 5000 + ",)"),  # Python writes no number of so many digits
        _header(descr="[0x" + "f" * 5000 + "]"),
        _header(descr="'<f16'"),
        _header(descr="'<f4, <f4'"),
        _header(descr="__import__('os').getcwd()"),
        _header(order="0"),
        "{'descr': '<f4'}",
        "[" * 5000,
        "-" * 5000 + "1",
        "()" * 2000,
        "",
        "\xff\xfe",
    ],
)
def test_odd_headers(tmp_path: Path, header: str) -> None:
    refusal(_file(tmp_path / "x.npy", header, bytes(32)))


def test_a_long_header_is_not_parsed(tmp_path: Path) -> None:
    path = _file(tmp_path / "x.npy", _header() + " " * limits.HEADER_BYTES, bytes(32))
    assert "10,000 are allowed" in refusal(path)
    path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff")
    assert "4,294,967,295" in refusal(path)


def test_truncated_and_overlong(tmp_path: Path) -> None:
    whole = npy(tmp_path / "x.npy", array(10, 4)).read_bytes()
    path = tmp_path / "y.npy"
    for size in (0, 5, 7, 9, 60, 128, len(whole) - 1):
        path.write_bytes(whole[:size])
        refusal(path)
    path.write_bytes(whole[:-1])
    assert "ends in sample 9 of 10" in refusal(path)
    path.write_bytes(whole + b"\0")
    assert "more in it than its shape" in refusal(path)
    assert "cut short" in refusal(path, copy=False)


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    assert "is empty" in refusal(npy(tmp_path / "x.npy", array(0, 4)))
    assert "is empty" in refusal(npy(tmp_path / "x.npy", array(3, 0)))
    assert "single number" in refusal(npy(tmp_path / "x.npy", np.float32(1.0) * np.ones(())))
    assert "too large" in refusal(_file(tmp_path / "x.npy", _header(shape="(1, 4294967296)")))
    assert "too large" in refusal(_file(tmp_path / "x.npy", _header(shape="(1099511627776, 4)")))


def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    assert "regular file" in refusal(tmp_path / "x.npy")
    assert "No such file" in refusal(tmp_path / "y.npy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_sample_that_is_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    values = array(3000, 4)
    values[2100, 3] = values[2900, 0] = bad
    assert "sample 2100 of" in refusal(npy(tmp_path / "x.npy", values))
    assert "sample 2100 of" in refusal(tmp_path / "x.npy", copy=False)


def test_the_sample_is_counted_over_all_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", 64)
    values = array(50, 4)
    values[33] = np.nan
    assert "sample 33 of" in refusal(npy(tmp_path / "x.npy", values))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.text(max_size=80) | st.from_regex(r"\{'descr': '<f4', 'shape': \([0-9, ]*\), .*\}", fullmatch=True))
def test_any_header(tmp_path: Path, header: str) -> None:
    text = header.encode("utf-8", "replace").decode("latin1")
    refusal(_file(tmp_path / "x.npy", text, bytes(7)), tensor(), Preprocessing())
