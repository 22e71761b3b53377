"""What is taken in is stored once, whole, and mended when a file of it went missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from sqlalchemy import select, update

from tests.conftest import REPOSITORY
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.base import Base
from trtfarm.database.schema import DatasetRow, HolderRow, ModelNameRow, ModelRow, TableRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_bytes, digest_of_file
from trtfarm.errors import DataError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table, dataset_stored, known_as, model_stored
from trtfarm.models.model import Model
from trtfarm.stored_names import as_stored
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

Row = TypeVar("Row", bound=Base)
LENET = REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"
TABLE = CalibrationTable.of(
    {"data": "3c010204"}, CalibrationRule.of(Calibrator.MINMAX, batch_size=1), TensorRTVersion.parse("8.5.3")
)


@pytest.fixture(scope="module")
def lenet() -> Model:
    return Model.read(LENET)


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(6, dtype=np.float32).reshape(3, 2))
    array = Array(path=path, dtype="float32", shape=(3, 2), digest=digest_of_file(path))
    labels = replace(array, path=tmp_path / "y.npy")
    np.save(labels.path, np.arange(3))
    labels = replace(labels, dtype="int64", shape=(3,), digest=digest_of_file(labels.path))
    return DataSet(inputs={"x": array}, labels=labels, preprocessing={"x": {"scale": 0.5}}, source="folder/digits")


def only(farm: Farm, rows: type[Row]) -> Row:
    with farm.database.read() as session:
        assert session.scalars(select(HolderRow.holder)).all() == []
        return session.scalars(select(rows)).one()


def test_a_model_is_stored_once(farm: Farm, lenet: Model) -> None:
    assert not model_stored(farm, lenet)
    model_id = add_model(farm, lenet)
    assert add_model(farm, lenet) == model_id
    assert model_stored(farm, lenet)
    row = only(farm, ModelRow)
    assert (row.name, row.digest, row.weights_blob) == ("lenet", lenet.digest, None)
    assert row.inputs[0]["name"] == "data"
    assert len(farm.blobs.read(row.blob)) == row.size
    assert list((farm.settings.home / "scratch").iterdir()) == []


def test_an_equal_model_of_another_name_is_found_by_both(farm: Farm, lenet: Model) -> None:
    model_id = add_model(farm, lenet)
    for name in ("copy", "copy", "n" * 250, "lenet"):
        assert add_model(farm, replace(lenet, name=name)) == model_id
    assert known_as(farm, replace(lenet, name="copy")) == only(farm, ModelRow).name == "lenet"
    with farm.database.read() as session:
        assert set(session.scalars(select(ModelNameRow.name))) == {"copy", "n" * 200}


def test_a_model_whose_file_is_gone_is_mended_under_its_id(farm: Farm, lenet: Model) -> None:
    model_id = add_model(farm, lenet)
    farm.blobs.delete(only(farm, ModelRow).blob)
    assert not model_stored(farm, lenet)
    assert add_model(farm, lenet) == model_id
    assert model_stored(farm, lenet)


def test_a_copy_that_another_release_wrote_otherwise_is_replaced(farm: Farm, lenet: Model) -> None:
    model_id = add_model(farm, lenet)
    copy = only(farm, ModelRow).blob
    with farm.database.write() as session:
        session.execute(update(ModelRow).values(blob=digest_of_bytes(b"older copy"), weights_blob=digest_of_bytes(b"")))
    assert add_model(farm, lenet) == model_id
    assert (only(farm, ModelRow).blob, only(farm, ModelRow).weights_blob) == (copy, None)


def test_a_name_that_moves_a_cursor_is_kept_as_what_it_is_made_of(farm: Farm, lenet: Model) -> None:
    add_model(farm, replace(lenet, name="na\nme\x1b[31m\udcff"))
    assert only(farm, ModelRow).name == r"na\x0ame\x1b[31m\udcff"
    assert as_stored(as_stored("na\nme")) == as_stored("na\nme")


def test_a_long_name_is_cut(farm: Farm, lenet: Model) -> None:
    add_model(farm, replace(lenet, name="n" * 250))
    assert only(farm, ModelRow).name == "n" * 200


def test_data_are_stored_once_with_all_that_was_said_of_them(farm: Farm, data: DataSet) -> None:
    assert not dataset_stored(farm, data)
    dataset_id = add_dataset(farm, data)
    assert add_dataset(farm, replace(data, source="elsewhere")) == dataset_id
    row = only(farm, DatasetRow)
    assert (row.name, row.source, row.samples, row.spec) == ("digits", "folder/digits", 3, {"x": {"scale": 0.5}})
    assert row.inputs == {"x": {"blob": data.inputs["x"].digest, "dtype": "float32", "shape": [3, 2]}}
    assert row.labels is not None
    assert farm.blobs.read(row.labels["blob"]) == (data.labels or data.inputs["x"]).path.read_bytes()


def test_data_of_which_a_file_is_gone_are_mended(farm: Farm, data: DataSet) -> None:
    dataset_id = add_dataset(farm, data)
    farm.blobs.delete(data.inputs["x"].digest)
    assert not dataset_stored(farm, data)
    assert add_dataset(farm, data) == dataset_id
    assert dataset_stored(farm, data)


def test_data_that_changed_after_they_were_read_are_refused(farm: Farm, data: DataSet) -> None:
    with data.inputs["x"].path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="changed after it was read"):
        add_dataset(farm, data)
    with farm.database.read() as session:
        assert session.scalars(select(DatasetRow)).all() == []


def test_a_table_is_stored_once_for_each_model(farm: Farm, lenet: Model) -> None:
    model_id = add_model(farm, lenet)
    table_id = add_table(farm, TABLE, model_id)
    assert add_table(farm, TABLE, model_id) == table_id
    row = only(farm, TableRow)
    assert (row.calibrator, row.tensorrt, row.key, row.origin) == ("minmax", "8.5.3", None, "imported")
    assert farm.blobs.read(row.blob) == TABLE.render()


def test_the_text_of_a_table_that_is_gone_is_mended(farm: Farm, lenet: Model) -> None:
    model_id = add_model(farm, lenet)
    table_id = add_table(farm, TABLE, model_id)
    farm.blobs.delete(TABLE.digest)
    assert add_table(farm, TABLE, model_id) == table_id
    assert farm.blobs.read(TABLE.digest) == TABLE.render()
