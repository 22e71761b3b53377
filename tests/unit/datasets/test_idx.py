"""The format of the MNIST files."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, idx, npy, prepared, refusal, tensor
from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind, kind_of
from trtfarm.datasets.preprocessing import Preprocessing

IDX = SourceKind.IDX
DIVIDED = Preprocessing(divide=255.0)
DIGITS = tensor(dims=("N", 1, 28, 28))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dims", [("N", 1, 28, 28), ("N", 28, 28, 1), ("N", 28, 28)])
def test_digits_get_the_channel_axis_that_the_model_has(
    tmp_path: Path, dims: tuple[str | int, ...], *, packed: bool
) -> None:
    values = (array(20, 28, 28) * 255).astype(np.uint8)
    path = idx(tmp_path / "images", values, packed=packed)
    assert kind_of(DataFile(path=path)) is IDX
    data = prepared(path, tensor(dims=dims), DIVIDED, kind=IDX)
    expected = (values / np.float32(255)).reshape(20, *[d for d in dims if isinstance(d, int)])
    assert np.array_equal(np.load(data.inputs["x"].path), expected)


def test_golden_digits_come_out_of_their_pixels(golden: Path, tmp_path: Path) -> None:
    """The golden calibration set was made by dividing uint8 by 255 in float32."""
    expected = np.load(golden / "lenet" / "calib.npy")
    path = idx(tmp_path / "images", np.rint(expected * 255).astype(np.uint8)[:, 0])
    data = prepared(path, DIGITS, DIVIDED, kind=IDX)
    assert data.inputs["x"].digest == prepared(npy(tmp_path / "x.npy", expected), DIGITS).inputs["x"].digest


def test_pixels_are_not_taken_for_floats(tmp_path: Path) -> None:
    assert "holds uint8" in refusal(idx(tmp_path / "i", np.ones((2, 28, 28))), DIGITS, kind=IDX)


@pytest.mark.parametrize(("code", "dtype"), [(9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_other_types_are_big_endian(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, -2], [3, 4]])
    path = tmp_path / "x"
    path.write_bytes(bytes((0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 2)) + values.astype(dtype).tobytes())
    wanted = tensor(dims=("N", 2), dtype=np.dtype(dtype).newbyteorder("=").name)
    assert np.array_equal(np.load(prepared(path, wanted, kind=IDX).inputs["x"].path), values)


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_overlong_and_odd(tmp_path: Path, *, packed: bool) -> None:
    whole = idx(tmp_path / "whole", np.ones((3, 28, 28))).read_bytes()
    path = tmp_path / "x"

    def write(content: bytes) -> Path:
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    for size in (0, 3, 4, 9, 15, 16, len(whole) - 1):
        refusal(write(whole[:size]), DIGITS, DIVIDED, kind=IDX)
    assert "more in it" in refusal(write(whole + b"\0"), DIGITS, DIVIDED, kind=IDX)
    refusal(write(b"\0\0\x07\x01" + bytes(8)), DIGITS, DIVIDED, kind=IDX)
    refusal(write(b"\0\0\x08\x00"), DIGITS, DIVIDED, kind=IDX)
    assert "255 dimensions" in refusal(write(b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x"), DIGITS, DIVIDED, kind=IDX)
    assert "too large" in refusal(write(b"\0\0\x08\x03" + b"\xff" * 12), DIGITS, DIVIDED, kind=IDX)


def test_a_file_that_claims_more_than_it_has_costs_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0\0\x08\x02" + struct.pack(">2I", 1, limits.SAMPLE_BYTES) + b"x")
    tracemalloc.start()
    refusal(path, tensor(dims=(None, None)), DIVIDED, kind=IDX)
    assert tracemalloc.get_traced_memory()[1] < 4 * limits.CHUNK_BYTES
    tracemalloc.stop()


def test_damaged_and_nested_gzip(tmp_path: Path) -> None:
    whole = idx(tmp_path / "whole", np.ones((3, 28, 28)), packed=True).read_bytes()
    path = tmp_path / "x"
    for content in (whole[:20], whole[:-3], whole[:12] + b"\xff" + whole[13:], gzip.compress(whole), b"\x1f\x8b"):
        path.write_bytes(content)
        refusal(path, DIGITS, DIVIDED, kind=IDX)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1000)
    path = idx(tmp_path / "x", np.zeros((500, 28, 28)), packed=True)
    assert "decompression bomb" in refusal(path, DIGITS, DIVIDED, kind=IDX)
