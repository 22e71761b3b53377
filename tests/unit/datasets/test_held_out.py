"""Verification data: where it is found, and that it is held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import Array, array, idx, model_with, npy
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.held_out import check_apart, held_out
from trtfarm.datasets.locate import locate
from trtfarm.datasets.overlap import check_held_out, overlap
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError, UsageError
from trtfarm.models.model import Model


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_with(tmp_path, x=("float32", ("N", 4)))


def _calibration(model: Model, folder: Path, spec: str | None = None, value: Array | None = None) -> Source:
    npy(folder / "d" / "x.npy", array(10, 4) if value is None else value)
    if spec is not None:
        (folder / "d" / "data.toml").write_text(spec)
    return locate(["d"], model, working_folder=folder)


def _prepared(source: Source | None, model: Model, folder: Path) -> DataSet:
    assert source is not None
    folder.mkdir()
    return prepare(source, model.summary.inputs, folder, labels=True)


def test_none(model: Model, tmp_path: Path) -> None:
    assert held_out(_calibration(model, tmp_path), model) is None


def test_without_calibration_data(model: Model, tmp_path: Path) -> None:
    npy(tmp_path / "t.npy", array(5, 4))
    npy(tmp_path / "l.npy", np.arange(5))
    source = held_out(None, model, test_data=["t.npy"], labels="l.npy", working_folder=tmp_path)
    assert _prepared(source, model, tmp_path / "out").labels is not None
    assert held_out(None, model) is None
    with pytest.raises(UsageError, match="without test data"):
        held_out(None, model, labels="l.npy", working_folder=tmp_path)


def test_the_test_folder(model: Model, tmp_path: Path) -> None:
    source = _calibration(model, tmp_path)
    npy(tmp_path / "d" / "test" / "x.npy", array(5, 4, seed=1))
    npy(tmp_path / "d" / "test" / "labels.npy", np.arange(5, dtype=np.int32))
    data = _prepared(held_out(source, model), model, tmp_path / "out")
    assert data.labels is not None
    assert np.load(data.labels.path).tolist() == [0, 1, 2, 3, 4]
    assert (data.labels.dtype, data.labels.path.name) == ("int64", "@labels.npy")


def test_labels_are_part_of_the_digest(model: Model, tmp_path: Path) -> None:
    source = _calibration(model, tmp_path)
    npy(tmp_path / "d" / "test" / "x.npy", array(2, 4))
    digests = set()
    for index, labels in enumerate(([0, 1], [1, 0], None)):
        if labels is None:
            (tmp_path / "d" / "test" / "labels.npy").unlink()
        else:
            npy(tmp_path / "d" / "test" / "labels.npy", np.array(labels))
        digests.add(_prepared(held_out(source, model), model, tmp_path / f"out{index}").digest)
    assert len(digests) == 3


def test_named_data_and_labels(model: Model, tmp_path: Path) -> None:
    source = _calibration(model, tmp_path)
    npy(tmp_path / "t.npy", array(5, 4, seed=1))
    idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(5), packed=True)
    found = held_out(source, model, test_data=["t.npy"], labels="t10k-labels-idx1-ubyte.gz", working_folder=tmp_path)
    labels = _prepared(found, model, tmp_path / "out").labels
    assert labels is not None
    assert np.load(labels.path).tolist() == [0, 1, 2, 3, 4]


def test_labels_alone(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without test data"):
        held_out(_calibration(model, tmp_path), model, labels="labels.npy", working_folder=tmp_path)


@pytest.mark.parametrize("named", [False, True])
def test_preprocessing_holds_for_test_data_too(model: Model, tmp_path: Path, *, named: bool) -> None:
    pixels = (array(10, 4) * 255).astype(np.uint8)
    source = _calibration(model, tmp_path, "[inputs.x]\ndivide = 255", pixels)
    npy(tmp_path / "d" / "test" / "x.npy", pixels[:3])
    found = held_out(source, model, test_data=["d/test/x.npy"] if named else [], working_folder=tmp_path)
    data = _prepared(found, model, tmp_path / "out")
    assert np.array_equal(np.load(data.inputs["x"].path), pixels[:3] / np.float32(255))
    assert data.preprocessing == {"x": {"divide": 255.0}}


def test_the_specification_holds_with_its_paths(model: Model, tmp_path: Path) -> None:
    npy(tmp_path / "d" / "raw.npy", array(10, 4))
    npy(tmp_path / "d" / "test" / "raw.npy", array(3, 4, seed=1))
    spec = '[inputs.x]\npath = "raw.npy"\nmean = 1\n[labels]\npath = "classes.npy"'
    npy(tmp_path / "d" / "classes.npy", np.zeros(10, int))
    npy(tmp_path / "d" / "test" / "classes.npy", np.ones(3, int))
    data = _prepared(held_out(_calibration(model, tmp_path, spec), model), model, tmp_path / "out")
    assert data.samples == 3
    assert data.labels is not None


def test_a_specification_of_its_own_wins(model: Model, tmp_path: Path) -> None:
    source = _calibration(model, tmp_path, "[inputs.x]\nmean = 1")
    npy(tmp_path / "d" / "test" / "x.npy", array(3, 4))
    (tmp_path / "d" / "test" / "data.toml").write_text("[inputs.x]\nmean = 2")
    assert _prepared(held_out(source, model), model, tmp_path / "out").preprocessing == {"x": {"mean": [2.0]}}


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((5, 10)), "one class number per sample"),
        (np.array([0, 1, -1, 2, 3]), "sample 2 of"),
        (np.array([0, 1.5, 1, 2, 3]), "sample 1 of"),
        (np.arange(4), "5 of x, 4 of the labels"),
        (np.arange(5).astype("U1"), "holds elements of type"),
    ],
)
def test_labels_that_do_not_fit(model: Model, tmp_path: Path, labels: Array, says: str) -> None:
    source = _calibration(model, tmp_path)
    npy(tmp_path / "d" / "test" / "x.npy", array(5, 4))
    npy(tmp_path / "d" / "test" / "labels.npy", labels)
    with pytest.raises(DataError) as caught:
        _prepared(held_out(source, model), model, tmp_path / "out")
    assert says in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def _pair(model: Model, folder: Path, test: Array) -> tuple[DataSet, DataSet]:
    source = _calibration(model, folder)
    npy(folder / "t.npy", test)
    return (
        _prepared(source, model, folder / "calibration"),
        _prepared(locate(["t.npy"], model, working_folder=folder), model, folder / "test"),
    )


def test_shared_samples_are_counted(model: Model, tmp_path: Path) -> None:
    calibration, test = _pair(model, tmp_path, np.concatenate([array(5, 4, seed=1), array(10, 4)[7:9]]))
    assert overlap(calibration, test) == 2
    assert check_held_out(calibration, test) == ("2 of 7 test samples are also among the calibration samples",)


def test_other_samples(model: Model, tmp_path: Path) -> None:
    assert check_held_out(*_pair(model, tmp_path, array(5, 4, seed=1))) == ()


def test_the_same_samples_are_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all test samples"):
        check_held_out(*_pair(model, tmp_path, array(10, 4)[::-1]))


def test_the_same_files_are_refused_without_a_look_into_them(model: Model, tmp_path: Path) -> None:
    """As where the farm holds both, so that nobody reads their values again."""
    calibration, test = _pair(model, tmp_path, array(5, 4, seed=1))
    check_apart(calibration, test)
    with pytest.raises(DataError, match="all test samples"):
        check_apart(calibration, replace(calibration, source="other"))


def test_the_real_sets_do_not_overlap(golden: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3] / "calib_data" / "mnist"
    model = Model.read(root / "lenet.onnx")
    source = locate([str(root)], model)
    test = held_out(source, model)
    pair = _prepared(source, model, tmp_path / "c"), _prepared(test, model, tmp_path / "t")
    assert pair[1].labels is not None
    assert check_held_out(*pair) == ()
