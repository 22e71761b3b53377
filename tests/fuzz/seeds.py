"""Real files to start from, as their usual programs wrote them."""

from __future__ import annotations

import gzip
import io
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import GOLDEN, REPOSITORY
from tests.unit.datasets.samples import encoded
from tests.unit.models.samples import linear_model, nested_model
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

MNIST = REPOSITORY / "calib_data" / "mnist"


@cache
def tables() -> tuple[bytes, ...]:
    """Those that TensorRT itself wrote, where they are at hand, and of each form that there is."""
    scales = {
        "data": "3c010204",
        "conv1": "3d1f2a40",
        "(Unnamed Layer* 10) [Constant]_output": "3ab0c4de",
        "x:0 / y": "42c80000",
    }
    rules = [
        CalibrationRule.of(calibrator, batch_size=50)
        for calibrator in (Calibrator.ENTROPY2, Calibrator.MINMAX, Calibrator.LEGACY)
    ]
    versions = (TensorRTVersion.parse("8.5.3.1"), TensorRTVersion.parse("10.3.0.26"))
    made = tuple(CalibrationTable.of(scales, rule, version).render() for rule in rules for version in versions)
    return (*made, *(path.read_bytes() for path in sorted(GOLDEN.glob("*/*.table"))))


@cache
def arrays() -> tuple[bytes, ...]:
    """Real digits, ids of tokens and labels as `.npy`."""
    digits = np.load(MNIST / "data.npy", mmap_mode="r")[:2, :, 10:14, 10:14]
    return tuple(map(_npy, (digits, digits.astype(">f8"), np.arange(6).reshape(2, 3), np.array([True, False]))))


@cache
def archives() -> tuple[bytes, ...]:
    """The same in `.npz`, packed and plain, and one with the records of large archives."""
    first, second = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(2)
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez(plain, x=first, labels=second)
    np.savez_compressed(packed, x=first)
    return plain.getvalue(), packed.getvalue(), _with_large_records(plain.getvalue())


def _with_large_records(archive: bytes) -> bytes:
    """An archive whose end is told as for one of more than 4 GiB (APPNOTE 4.3.14 to 4.3.16)."""
    end = archive.rfind(b"PK\x05\x06")
    entries, size, offset = struct.unpack_from("<HLL", archive, end + 10)
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return archive[:end] + large + locator + archive[end:]


@cache
def idx_files() -> tuple[bytes, ...]:
    """Digits and labels in the format of the MNIST files."""
    digits = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 4, 4) + bytes(range(32))
    numbers = bytes((0, 0, 0x0D, 2)) + struct.pack(">2I", 2, 3) + np.arange(6, dtype=">f4").tobytes()
    return digits, numbers, gzip.compress(digits, mtime=0)


@cache
def feeds() -> tuple[bytes, ...]:
    """Batches as Polygraphy saves them: several inputs and batches in a list, and one batch alone."""
    x, ids = np.arange(8, dtype=np.float32).reshape(2, 4), np.arange(4).reshape(2, 2)
    batches = [{"x": encoded(x), "ids": encoded(ids)}, {"x": encoded(x[:1]), "ids": encoded(ids[:1])}]
    return json.dumps(batches, indent=4).encode(), json.dumps({"x": encoded(x)}).encode()


@cache
def models() -> tuple[bytes, ...]:
    """A small model with a tensor in an attribute, one with functions in functions, LeNet, and where it is at hand one
    with many kinds of nodes."""
    many = tuple(path.read_bytes() for path in GOLDEN.glob("zoo/model.onnx"))
    made = (model.SerializeToString() for model in (linear_model(), nested_model()))
    return *made, (MNIST / "lenet.onnx").read_bytes(), *many


def _npy(value: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(value))
    return file.getvalue()


def written(folder: Path, name: str, data: bytes) -> Path:
    """A file with these bytes, in place of the one before."""
    path = folder / name
    path.write_bytes(data)
    return path
