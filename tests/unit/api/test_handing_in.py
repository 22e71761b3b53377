"""Models, data and tables that come as blobs: read by the server itself, and the same as if they had come as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.conftest import REPOSITORY
from tests.unit.api.problems import problem
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.farm import Farm
from trtfarm.models.model import Model
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

DIGITS = REPOSITORY / "calib_data" / "mnist"
LENET = DIGITS / "lenet.onnx"
RULE, VERSION = CalibrationRule.of(Calibrator.MINMAX, batch_size=1), TensorRTVersion.parse("8.5.3")


def blob(farm: Farm, content: Path | bytes) -> str:
    """The digest of something that was uploaded."""
    put = farm.blobs.put_bytes(content) if isinstance(content, bytes) else farm.blobs.put_file(content)
    return put.digest


def npy(values: Any, path: Path) -> bytes:
    np.save(path, values)
    return path.read_bytes()


@pytest.fixture
def lenet(client: TestClient, farm: Farm) -> str:
    added = client.post("/v1/models", json={"name": "lenet", "blob": blob(farm, LENET)})
    assert added.status_code == 201, added.text
    return str(added.json()["id"])


def test_a_model_is_read_by_the_server(client: TestClient, farm: Farm, lenet: str) -> None:
    here = Model.read(LENET)
    found = client.get(f"/v1/models/{lenet}").json()
    assert (found["name"], found["digest"], found["weights_digest"]) == ("lenet", here.digest, here.weights_digest)
    again = client.post("/v1/models", json={"name": "other", "blob": blob(farm, LENET)})
    assert again.json()["id"] == lenet
    assert list((farm.settings.home / "scratch").iterdir()) == []


def test_a_model_is_found_by_a_name_too_long_to_be_kept(client: TestClient, farm: Farm) -> None:
    name = "n" * 250
    added = client.post("/v1/models", json={"name": name, "blob": blob(farm, LENET)}).json()
    assert added["name"] == "n" * 200
    assert [model["id"] for model in client.get("/v1/models", params={"name": name}).json()["items"]] == [added["id"]]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50])
def test_what_is_no_model_is_refused_without_naming_files_here(client: TestClient, farm: Farm, content: bytes) -> None:
    found = problem(client.post("/v1/models", json={"name": "odd", "blob": blob(farm, content)}), 422, "bad_model")
    assert str(farm.settings.home) not in str(found)
    assert client.get("/v1/models").json()["items"] == []


@pytest.mark.parametrize("location", ["../farm.db", "/etc/passwd", "a\x00b", "", "C:\\x", "x" * 300])
def test_weights_stay_where_they_belong(client: TestClient, farm: Farm, location: str) -> None:
    weights = {location: blob(farm, b"weights")}
    answered = client.post("/v1/models", json={"name": "odd", "blob": blob(farm, LENET), "weights": weights})
    problem(answered, 400, "usage")
    assert (farm.settings.home / "scratch").exists()
    assert list((farm.settings.home / "scratch").iterdir()) == []


def test_a_blob_that_nobody_uploaded_is_told(client: TestClient) -> None:
    problem(client.post("/v1/models", json={"name": "x", "blob": "sha256:" + "0" * 64}), 404, "not_found")
    body = {"source": "x", "inputs": {"data": "sha256:" + "0" * 64}}
    problem(client.post("/v1/datasets", json=body), 404, "not_found")


def test_data_have_the_digest_that_the_farm_itself_gives_them(client: TestClient, farm: Farm, tmp_path: Path) -> None:
    source = locate([str(DIGITS / "test")], Model.read(LENET))
    assert source is not None
    into = tmp_path / "prepared"
    into.mkdir()
    prepared = prepare(source, Model.read(LENET).summary.inputs, into, labels=True)
    assert prepared.labels is not None
    body = {
        "source": prepared.source,
        "inputs": {name: blob(farm, array.path) for name, array in prepared.inputs.items()},
        "labels": blob(farm, prepared.labels.path),
        "preprocessing": prepared.preprocessing,
    }
    added = client.post("/v1/datasets", json=body)
    assert added.status_code == 201, added.text
    assert added.json()["digest"] == prepared.digest
    assert added.json()["samples"] == prepared.samples
    assert client.post("/v1/datasets", json=body).json()["id"] == added.json()["id"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[1.0], [np.nan]], np.float32), "sample 1 of the array of data has values that are NaN"),
        (np.zeros((0, 2), np.float32), "empty"),
        (np.asfortranarray(np.ones((2, 3), np.float32)), "Fortran"),
        (np.ones((2, 2), ">f4"), "not prepared as the farm does it"),
        (np.float32(1), "single number"),
        (np.array(["a", "b"]), "elements of type"),
    ],
)
def test_data_that_are_not_prepared_are_refused(
    client: TestClient, farm: Farm, tmp_path: Path, values: Any, said: str
) -> None:
    body = {"source": "x", "inputs": {"data": blob(farm, npy(values, tmp_path / "x.npy"))}}
    found = problem(client.post("/v1/datasets", json=body), 422, "bad_data")
    assert said in found["message"]
    assert str(farm.settings.home) not in str(found)
    assert client.get("/v1/datasets").json()["items"] == []


def test_arrays_that_lie_about_their_size_are_refused(client: TestClient, farm: Farm, tmp_path: Path) -> None:
    good = npy(np.ones((4, 3), np.float32), tmp_path / "x.npy")
    for content in (good[:-1], good + b"x", good[:20], b"x" * 100):
        problem(
            client.post("/v1/datasets", json={"source": "x", "inputs": {"data": blob(farm, content)}}), 422, "bad_data"
        )


@pytest.mark.parametrize(
    "labels", [np.array([0, -1]), np.array([0, 1, 2]), np.array([[0], [1]]), np.array([0, 1], np.int32)]
)
def test_labels_that_are_none_are_refused(client: TestClient, farm: Farm, tmp_path: Path, labels: Any) -> None:
    values = npy(np.ones((2, 3), np.float32), tmp_path / "x.npy")
    body = {
        "source": "x",
        "inputs": {"data": blob(farm, values)},
        "labels": blob(farm, npy(labels, tmp_path / "labels.npy")),
    }
    problem(client.post("/v1/datasets", json=body), 422, "bad_data")


@pytest.mark.parametrize(
    "preprocessing", [{"data": {"rotate": 1}}, {"data": {"divide": 0}}, {"other": {}}, {"data": {"mean": ["x"]}}]
)
def test_preprocessing_that_nobody_knows_is_refused(
    client: TestClient, farm: Farm, tmp_path: Path, preprocessing: dict[str, Any]
) -> None:
    values = npy(np.ones((2, 3), np.float32), tmp_path / "x.npy")
    body = {"source": "x", "inputs": {"data": blob(farm, values)}, "preprocessing": preprocessing}
    problem(client.post("/v1/datasets", json=body), 422, "bad_data")


def test_a_table_is_checked_against_its_model(client: TestClient, farm: Farm, lenet: str) -> None:
    scales = dict.fromkeys(Model.read(LENET).summary.tensors, "3c010204")
    table = CalibrationTable.of(scales, RULE, VERSION)
    added = client.post("/v1/tables", json={"blob": blob(farm, table.render()), "model": "mod_"})
    assert added.status_code == 201, added.text
    assert (added.json()["scales"], added.json()["model"], added.json()["origin"]) == (scales, "lenet", "imported")
    stranger = CalibrationTable.of({"nothing_like_it": "3c010204"}, RULE, VERSION)
    for content in (stranger.render(), b"", b"TRT-8503-MinMaxCalibration\ndata: xyz\n"):
        problem(client.post("/v1/tables", json={"blob": blob(farm, content), "model": lenet}), 422, "bad_table")
    problem(client.post("/v1/tables", json={"blob": blob(farm, table.render()), "model": "mod_x"}), 404, "not_found")
