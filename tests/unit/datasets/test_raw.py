"""Files of elements alone, which the model says how to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, model_with, npy, refusal, tensor
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.errors import DataError

KIND = SourceKind.RAW


def test_the_model_tells_type_and_shape(tmp_path: Path) -> None:
    """A value that begins as an idx file does is one all the same."""
    model = model_with(tmp_path, x=("float32", ("N", 2, 3)), ids=("int64", (1, 2)))
    x, ids = array(5, 2, 3), np.arange(10).reshape(5, 2)
    x[0, 0, 0] = np.frombuffer(bytes((0, 0, 8, 65)), "<f4")[0]
    x.tofile(tmp_path / "x.bin")
    ids.tofile(tmp_path / "ids.bin")
    source = locate([f"x={tmp_path / 'x.bin'}", f"ids={tmp_path / 'ids.bin'}"], model)
    (tmp_path / "out").mkdir()
    data = prepare(source, model.summary.inputs, tmp_path / "out")
    assert np.array_equal(np.load(data.inputs["x"].path), x)
    assert np.array_equal(np.load(data.inputs["ids"].path), ids)


def test_a_part_of_it_by_a_specification(tmp_path: Path) -> None:
    model, x = model_with(tmp_path, x=("float32", ("N", 4))), array(5, 4)
    x.tofile(tmp_path / "x.raw")
    (tmp_path / "data.toml").write_text('samples = [1, 3]\n[inputs.x]\npath = "x.raw"\nsource = "raw"\n')
    (tmp_path / "out").mkdir()
    data = prepare(locate([str(tmp_path / "data.toml")], model), model.summary.inputs, tmp_path / "out")
    assert np.array_equal(np.load(data.inputs["x"].path), x[1:3])


def test_an_array_stays_one_whatever_it_is_called(tmp_path: Path) -> None:
    model = model_with(tmp_path, x=("float32", ("N", 4)))
    npy(tmp_path / "x.npy", array(5, 4)).rename(tmp_path / "x.bin")
    assert locate([str(tmp_path / "x.bin")], model).inputs["x"].kind is SourceKind.NPY


@pytest.mark.parametrize(
    ("content", "wanted", "told"),
    [
        (bytes(17), tensor(), "17 bytes"),
        (b"", tensor(), "is empty"),
        (bytes(32), tensor(dims=("N", "length")), "does not tell its shape"),
        (bytes(32), tensor(dims=("N", None)), "does not tell its shape"),
        (bytes(32), tensor(dims=()), "does not tell its shape"),
        (bytes(32), tensor(dims=("N", 1 << 40)), "takes 4,398,046,511,104"),
        (b"\x00\x00\x80\x7f" * 4, tensor(), "NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, content: bytes, wanted: object, told: str) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    assert told in refusal(tmp_path / "x.bin", wanted, kind=KIND)  # type: ignore[arg-type]


def test_labels_need_a_type_of_their_own(tmp_path: Path) -> None:
    model = model_with(tmp_path, x=("float32", ("N", 4)))
    npy(tmp_path / "x.npy", array(2, 4))
    (tmp_path / "labels.bin").write_bytes(bytes(16))
    text = '[inputs.x]\npath = "x.npy"\n[labels]\npath = "labels.bin"\n'
    (tmp_path / "data.toml").write_text(text)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="holds no labels"):
        prepare(locate([str(tmp_path / "data.toml")], model), model.summary.inputs, tmp_path / "out", labels=True)
