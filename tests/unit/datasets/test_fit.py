"""Whether data fits batches, profiles and itself; and that a failure leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.disk import file_size_limit
from tests.unit.datasets.samples import array, model_with, npy, prepared, tensor
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_batches, check_profile
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.errors import DataError, DiskFullError, StorageError, UsageError
from trtfarm.models.model import Model
from trtfarm.models.shapes import profile_of


def _text_data(folder: Path, ids: tuple[int, int], mask: tuple[int, int]) -> tuple[Model, DataSet]:
    model = model_with(folder, ids=("int64", ("N", "length")), mask=("int64", ("N", "length")))
    npy(folder / "d" / "ids.npy", np.ones(ids, np.int64))
    npy(folder / "d" / "mask.npy", np.ones(mask, np.int64))
    (folder / "out").mkdir()
    return model, prepare(locate(["d"], model, working_folder=folder), model.summary.inputs, folder / "out")


def test_several_inputs(tmp_path: Path) -> None:
    _, data = _text_data(tmp_path, (6, 8), (6, 8))
    assert (list(data.inputs), data.samples) == (["ids", "mask"], 6)
    assert data.input_specs()["ids"] == {
        "path": str(tmp_path / "out" / "ids.npy"),
        "dtype": "int64",
        "shape": [6, 8],
    }


def test_numbers_of_samples_must_agree(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="6 of ids, 5 of mask"):
        _text_data(tmp_path, (6, 8), (5, 8))
    assert list((tmp_path / "out").iterdir()) == []


def test_shared_dimensions_must_agree(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'length' is 8 in ids, but 9 in mask"):
        _text_data(tmp_path, (6, 8), (6, 9))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_samples_of_all_inputs_are_on_the_first_axis(tmp_path: Path) -> None:
    """Or else the fixed 5 would be taken for the batch, and each sample of x be run with parts of several of y."""
    model = model_with(tmp_path, x=("float32", ("N", 8)), y=("float32", (5, "N", 4)))
    for shape in ((20, 5, 4), (5, 20, 4)):
        npy(tmp_path / "d" / "x.npy", array(20, 8))
        npy(tmp_path / "d" / "y.npy", np.ones(shape, np.float32))
        with pytest.raises(DataError, match=r"samples \(N, as of x\) are on axis 1"):
            prepare(locate(["d"], model, working_folder=tmp_path), model.summary.inputs, tmp_path / "out")


def test_batches(tmp_path: Path) -> None:
    data = prepared(npy(tmp_path / "x.npy", array(10, 4)))
    assert check_batches(data, [tensor()], 5) == ()
    assert check_batches(data, [tensor()], 4) == ("the last 2 of 10 samples are less than a batch of 4 and left out",)
    with pytest.raises(DataError, match="10 samples, fewer than one batch of 11"):
        check_batches(data, [tensor()], 11)
    assert check_batches(data, [tensor(dims=(5, 4))], 5) == ()
    with pytest.raises(UsageError, match="batches of 5"):
        check_batches(data, [tensor(dims=(5, 4))], 2)


def test_profiles(tmp_path: Path) -> None:
    model, data = _text_data(tmp_path, (6, 8), (6, 8))
    check_profile(data, profile_of(model.summary.inputs, ["ids=1x8:4x8:4x8"]))
    check_profile(data, profile_of(model.summary.inputs, ["ids=1x1:4x4:4x16"]))
    with pytest.raises(DataError, match="samples of 8, and the engine is to take 16 to 32"):
        check_profile(data, profile_of(model.summary.inputs, ["ids=1x16:4x16:4x32"]))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(10_000, 4))
    with file_size_limit(100_000), pytest.raises(DiskFullError) as caught:
        prepared(path)
    assert caught.value.remedy
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    model = model_with(tmp_path, x=("float32", ("N", 4)))
    npy(tmp_path / "d" / "x.npy", array(10, 4))
    before = (tmp_path / "d" / "x.npy").read_bytes()
    with pytest.raises(StorageError):
        prepare(locate([str(tmp_path / "d")], model), model.summary.inputs, tmp_path / "d")
    assert (tmp_path / "d" / "x.npy").read_bytes() == before


def test_the_digest_covers_values_order_type_and_preprocessing(tmp_path: Path) -> None:
    values = array(6, 4)
    model = model_with(tmp_path, x=("float32", ("N", 4)))

    def digest(value: np.ndarray[tuple[int, ...], np.dtype[np.generic]], spec: str = "") -> str:
        folder = tmp_path / f"d{len(list(tmp_path.iterdir()))}"
        npy(folder / "x.npy", value)
        if spec:
            (folder / "data.toml").write_text(spec)
        (folder / "out").mkdir()
        return prepare(locate([str(folder)], model), model.summary.inputs, folder / "out").digest

    assert digest(values) == digest(values.copy())
    assert digest(values) == digest(values, "[inputs.x]\ndivide = 1.0")
    others = [
        digest(values),
        digest(values[::-1]),
        digest(values[:5]),
        digest(values, "[inputs.x]\nmean = 0.0"),
        digest(values.astype(np.float64), '[inputs.x]\ndtype = "float32"'),
    ]
    assert len(set(others)) == len(others)
