"""Data that the farm holds is known by its files: what is recognised must be what preparing it would have given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, npy, source_of, tensor
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.errors import DataError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset
from trtfarm.models.summary import TensorType
from trtfarm.recognition import recognised

X = tensor("x")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Six samples, with labels in the form in which they are stored."""
    labels = npy(tmp_path / "labels.npy", np.arange(6))
    plain = source_of(npy(tmp_path / "x.npy", array(6, 4)), SourceKind.NPY)
    return replace(plain, labels=InputSource(kind=SourceKind.NPY, file=DataFile(path=labels)))


def _store(farm: Farm, source: Source, folder: Path, *, labels: bool = False) -> DataSet:
    folder.mkdir()
    data = prepare(source, [X], folder, labels=labels, copy=False)
    add_dataset(farm, data)
    return data


def _known(farm: Farm, source: Source, *, labels: bool = False, wanted: TensorType = X) -> DataSet | None:
    return recognised(farm, source, [wanted], labels=labels)


def test_stored_data_is_recognised_as_what_it_was_prepared_as(farm: Farm, source: Source, tmp_path: Path) -> None:
    stored = _store(farm, source, tmp_path / "out")
    assert _known(farm, source) == stored


def test_what_is_one_value_throughout_is_told_again(farm: Farm, tmp_path: Path) -> None:
    source = source_of(npy(tmp_path / "x.npy", np.full((6, 4), 0.5, np.float32)), SourceKind.NPY)
    stored = _store(farm, source, tmp_path / "out")
    assert any("every value of the input x is 0.5" in notice for notice in stored.notices)
    assert _known(farm, source) == stored


def test_labels_count_where_they_are_asked_for(farm: Farm, source: Source, tmp_path: Path) -> None:
    stored = _store(farm, source, tmp_path / "out", labels=True)
    assert _known(farm, source) is None
    known = _known(farm, source, labels=True)
    assert known is not None
    assert known.digest == stored.digest
    assert known.labels is not None
    assert known.labels.path == tmp_path / "labels.npy"
    assert known.labels.shape == (6,)


@pytest.mark.parametrize("name", ["x.npy", "labels.npy"])
def test_one_changed_value_makes_new_data(farm: Farm, source: Source, tmp_path: Path, name: str) -> None:
    _store(farm, source, tmp_path / "out", labels=True)
    values = np.load(tmp_path / name)
    values.flat[0] += 1
    npy(tmp_path / name, values)
    assert _known(farm, source, labels=True) is None


def test_data_of_a_stored_size_is_not_taken_for_it(farm: Farm, source: Source, tmp_path: Path) -> None:
    _store(farm, source, tmp_path / "out")
    assert _known(farm, source_of(npy(tmp_path / "y.npy", array(6, 4, seed=1)), SourceKind.NPY)) is None


def test_data_that_is_converted_is_not_recognised(farm: Farm, source: Source, tmp_path: Path) -> None:
    """Its file is not what is stored, or not all that makes the data set."""
    npy(tmp_path / "labels.npy", np.arange(6, dtype=np.int32))
    _store(farm, source, tmp_path / "out", labels=True)
    assert _known(farm, source, labels=True) is None
    halved = source_of(tmp_path / "x.npy", SourceKind.NPY, Preprocessing(divide=2.0))
    _store(farm, halved, tmp_path / "halved")
    assert _known(farm, halved) is None


def test_a_lost_blob_makes_new_data(farm: Farm, source: Source, tmp_path: Path) -> None:
    stored = _store(farm, source, tmp_path / "out")
    farm.blobs.delete(stored.inputs["x"].digest)
    assert _known(farm, source) is None


def test_a_model_that_the_data_does_not_fit_refuses_it_all_the_same(farm: Farm, source: Source, tmp_path: Path) -> None:
    _store(farm, source, tmp_path / "out")
    with pytest.raises(DataError, match=r"x\.npy has the shape 6x4, but the model's input is x \(float32, Nx5\)"):
        _known(farm, source, wanted=tensor("x", dims=("N", 5)))
    # What is wrong with a type is told where types are converted.
    assert _known(farm, source, wanted=tensor("x", dtype="float16")) is None


def test_sizes_that_a_symbol_ties_together_are_compared(farm: Farm, tmp_path: Path) -> None:
    names = ("a", "b")
    files = {"a": npy(tmp_path / "a.npy", array(6, 4)), "b": npy(tmp_path / "b.npy", array(6, 5))}
    inputs = {name: InputSource(kind=SourceKind.NPY, file=DataFile(path=files[name])) for name in names}
    source = Source(folder=tmp_path, inputs=inputs)
    (tmp_path / "out").mkdir()
    free = [tensor(name, dims=("N", None)) for name in names]
    add_dataset(farm, prepare(source, free, tmp_path / "out", copy=False))
    assert recognised(farm, source, free, labels=False) is not None
    with pytest.raises(DataError, match="dimension 'L' is 4 in a, but 5 in b"):
        recognised(farm, source, [tensor(name, dims=("N", "L")) for name in names], labels=False)
