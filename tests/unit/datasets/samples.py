"""Inputs, models and files that the tests of data sets share."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import helper

from tests.unit.models.samples import model_of, saved
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.errors import DataError
from trtfarm.models.model import Model
from trtfarm.models.summary import Dimension, TensorType

Array = npt.NDArray[Any]


def tensor(name: str = "x", dims: tuple[Dimension, ...] = ("N", 4), dtype: str = "float32") -> TensorType:
    return TensorType(name=name, dtype=dtype, dims=dims)


def model_with(folder: Path, **inputs: tuple[str, tuple[Dimension, ...]]) -> Model:
    """A model file `net.onnx` with these inputs: name, dtype and dimensions."""
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(dims))
        for name, (dtype, dims) in inputs.items()
    ]
    nodes = [helper.make_node("Identity", [values[0].name], ["y"])]
    return Model.read(saved(model_of(nodes, weights=[], inputs=values), folder / "net.onnx"))


def array(*shape: int, dtype: str = "float32", seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape).astype(dtype)


def npy(path: Path, value: Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, value)
    return path


def idx(path: Path, value: Array, *, packed: bool = False) -> Path:
    """An idx file of uint8."""
    head = bytes((0, 0, 8, value.ndim)) + struct.pack(f">{value.ndim}I", *value.shape)
    content = head + value.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def encoded(value: Array, *, pickled: bool = False) -> dict[str, str]:
    """An array as Polygraphy writes it."""
    content = BytesIO()
    np.save(content, value, allow_pickle=pickled)
    return {"array": base64.b64encode(content.getvalue()).decode(), "polygraphy_class": "ndarray"}


def feeds(path: Path, *batches: Mapping[str, Array]) -> Path:
    """What Polygraphy 0.53.6 writes of batches with --save-inputs, to the byte."""
    path.write_text(
        json.dumps([{name: encoded(value) for name, value in batch.items()} for batch in batches], indent=4)
    )
    return path


def source_of(path: Path, kind: SourceKind, preprocessing: Preprocessing | None = None, name: str = "x") -> Source:
    entry = InputSource(kind=kind, file=DataFile(path=path), preprocessing=preprocessing)
    return Source(folder=path.parent, inputs={name: entry})


def prepared(
    path: Path,
    wanted: TensorType | None = None,
    preprocessing: Preprocessing | None = None,
    *,
    kind: SourceKind = SourceKind.NPY,
    copy: bool = True,
) -> DataSet:
    """The data set of one file for one input, in `out` beside the file."""
    out = path.parent / "out"
    out.mkdir(exist_ok=True)
    for old in out.iterdir():
        old.unlink()
    wanted = wanted or tensor()
    return prepare(source_of(path, kind, preprocessing, wanted.name), [wanted], out, copy=copy)


def refusal(
    path: Path, wanted: TensorType | None = None, preprocessing: Preprocessing | None = None, **how: Any
) -> str:
    """What the user is told about a file that cannot be used; nothing may be left behind."""
    with pytest.raises(DataError) as caught:
        prepared(path, wanted, preprocessing, **how)
    assert list((path.parent / "out").iterdir()) == []
    return str(caught.value)
