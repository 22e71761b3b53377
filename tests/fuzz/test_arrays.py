"""Data in files: `.npy` headers, `.npz` archives, idx files; each read through, and prepared as the farm does it."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.fuzz.seeds import archives, arrays, feeds, idx_files, written
from trtfarm.datasets.archives import member_names
from trtfarm.datasets.feed_arrays import open_feeds
from trtfarm.datasets.feeds import feeds_of
from trtfarm.datasets.files import DataFile, Reader
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.npy import canonical_header, read_header
from trtfarm.datasets.openers import OPENERS
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.errors import DataError
from trtfarm.models.summary import TensorType

HEADER_WORDS = (
    b"'descr': ",
    b"'|O'",
    b"'<f4'",
    b"'>i8'",
    b"'V4'",
    b"'fortran_order': True",
    b"(",
    b")",
    b",",
    b"{",
    b"}",
)
ZIP_WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"../x.npy", b"x.npy")
FEED_WORDS = (
    b'"array": ',
    b'"polygraphy_class": "ndarray"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"x": ',
    b"\\",
    b"\n",
)
ANY = TensorType(name="x", dtype="float32", dims=(None, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arrays")


@given(text=mutated([data[10 : data.index(b"\n")] for data in arrays()], HEADER_WORDS), version=st.integers(1, 3))
def test_a_header_is_what_numpy_reads_too(text: bytes, version: int) -> None:
    length = len(text).to_bytes(8, "little")[: 2 if version == 1 else 4]
    data = b"\x93NUMPY" + bytes((version, 0)) + length + text
    found = outcome(lambda: read_header(Reader("array", io.BytesIO(data))), DataError)
    if found is None:
        return
    whole = found.raw + bytes(min(math.prod(found.shape) * found.dtype.itemsize, 1 << 16))
    if len(whole) < len(found.raw) + math.prod(found.shape) * found.dtype.itemsize:
        return
    theirs = np.load(io.BytesIO(whole), allow_pickle=False)
    assert (theirs.dtype, theirs.shape) == (found.dtype, found.shape)
    if theirs.size:
        assert canonical_header(found.dtype, found.shape).startswith(b"\x93NUMPY\x01\x00")


@given(data=mutated(arrays(), HEADER_WORDS))
def test_arrays(folder: Path, data: bytes) -> None:
    _read(folder, data, SourceKind.NPY)


@given(data=mutated(archives(), ZIP_WORDS))
def test_archives(folder: Path, data: bytes) -> None:
    outcome(lambda: member_names(DataFile(path=written(folder, "data", data))), DataError)
    _read(folder, data, SourceKind.NPZ)


@given(data=mutated(idx_files()))
def test_idx_files(folder: Path, data: bytes) -> None:
    _read(folder, data, SourceKind.IDX)


@given(data=mutated(feeds(), FEED_WORDS))
def test_batches_of_polygraphy_are_what_any_reader_of_json_finds(folder: Path, data: bytes) -> None:
    file = DataFile(path=written(folder, "data", data))
    _read(folder, data, SourceKind.POLYGRAPHY)
    found = outcome(lambda: _read_batches(file), DataError)
    if found is None:
        return
    parsed = json.loads(data.decode())
    batches = parsed if isinstance(parsed, list) else [parsed]
    assert all(batch.keys() == found.keys() for batch in batches)
    for name, samples in found.items():
        arrays_there = [np.load(io.BytesIO(base64.b64decode(batch[name]["array"]))) for batch in batches]
        assert np.array_equal(np.concatenate(arrays_there), samples, equal_nan=True)


def _read_batches(file: DataFile) -> dict[str, npt.NDArray[np.generic]]:
    found = {}
    for name in feeds_of(file):
        with open_feeds(file, name) as stream:
            found[name] = np.concatenate(list(stream.chunks()))
    return found


@given(data=st.sampled_from([*arrays(), *archives(), *idx_files(), *feeds()]), kind=st.sampled_from(list(OPENERS)))
def test_one_kind_taken_for_another(folder: Path, data: bytes, kind: SourceKind) -> None:
    _read(folder, data, kind)


def _read(folder: Path, data: bytes, kind: SourceKind) -> None:
    file = DataFile(path=written(folder, "data", data))

    def through() -> int:
        with OPENERS[kind](file, None) as stream:
            return sum(len(samples) for samples in stream.chunks())

    outcome(through, DataError)
    source = Source(folder=folder, inputs={"x": InputSource(kind=kind, file=file)})
    out = folder / "out"
    out.mkdir(exist_ok=True)
    made = outcome(lambda: prepare(source, [ANY], out, copy=True), DataError)
    if made is not None:
        kept = np.load(made.inputs["x"].path, allow_pickle=False)
        assert kept.shape == made.inputs["x"].shape
        assert np.isfinite(kept).all()
        made.inputs["x"].path.unlink()
    assert list(out.iterdir()) == []
