"""A part of large files, as a specification asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, idx, model_with, npy
from trtfarm.datasets import limits
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.images import images_of
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.errors import DataError
from trtfarm.models.model import Model

DIGITS = """
samples = [{first}, {end}]
[inputs.x]
path = "train-images-idx3-ubyte.gz"
divide = 255.0
[labels]
path = "train-labels-idx1-ubyte.gz"
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_with(tmp_path, x=("float32", ("N", 1, 28, 28)))


def of_digits(model: Model, folder: Path, first: int, end: int) -> DataSet:
    """MNIST's files of 60 digits, and a part of them."""
    pixels = (array(60, 28, 28) * 255).astype(np.uint8)
    idx(folder / "train-images-idx3-ubyte.gz", pixels, packed=True)
    idx(folder / "train-labels-idx1-ubyte.gz", np.arange(60, dtype=np.uint8), packed=True)
    (folder / "data.toml").write_text(DIGITS.format(first=first, end=end))
    into = folder / "prepared"
    into.mkdir(exist_ok=True)
    return prepare(locate([str(folder)], model), model.summary.inputs, into, labels=True)


@pytest.mark.parametrize("chunk", [1, 2000, limits.CHUNK_BYTES])
def test_images_and_labels_are_those_asked_for(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", chunk)
    data = of_digits(model, tmp_path, 16, 26)
    whole = (array(60, 28, 28) * 255).astype(np.uint8).reshape(60, 1, 28, 28) / np.float32(255)
    assert np.array_equal(np.load(data.inputs["x"].path), whole[16:26])
    assert data.labels is not None
    assert np.load(data.labels.path).tolist() == list(range(16, 26))
    assert "(16 to 26)" in data.source


def test_all_of_them_are_what_a_file_is_without(model: Model, tmp_path: Path) -> None:
    values = array(6, 1, 28, 28)
    npy(tmp_path / "x.npy", values)
    (tmp_path / "data.toml").write_text('samples = [0, 6]\n[inputs.x]\npath = "x.npy"\n')
    part = prepare(locate([str(tmp_path)], model), model.summary.inputs, _new(tmp_path / "one"))
    whole = prepare(locate([str(tmp_path / "x.npy")], model), model.summary.inputs, _new(tmp_path / "two"))
    assert part.digest == whole.digest


def test_more_than_there_are_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 60 samples") as caught:
        of_digits(model, tmp_path, 50, 61)
    assert caught.value.cause == "50 to 61 are asked for"


def test_test_data_is_not_cut_with_the_calibration_data(model: Model, tmp_path: Path) -> None:
    of_digits(model, tmp_path, 0, 10)
    test = _new(tmp_path / "test")
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (test / name).write_bytes((tmp_path / name).read_bytes())
    found = held_out(locate([str(tmp_path)], model), model)
    assert found is not None
    data = prepare(found, model.summary.inputs, _new(tmp_path / "prepared-test"), labels=True)
    assert data.samples == 60


def test_images_of_a_list_are_counted_in_its_order(tmp_path: Path) -> None:
    names = [f"{letter}.png" for letter in "dbca"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("".join(f"{name} {place}\n" for place, name in enumerate(names)))
    part = images_of(DataFile(path=tmp_path / "list.txt"), (1, 3))
    assert [file.path.name for file in part.files] == ["b.png", "c.png"]
    assert part.labels == (1, 2)
    with pytest.raises(DataError, match="has 4 images"):
        images_of(DataFile(path=tmp_path / "list.txt"), (0, 5))


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
