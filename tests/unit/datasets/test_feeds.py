"""Batches of inputs as Polygraphy saves them: its own form, and whatever else a JSON file may hold."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.datasets.samples import Array, array, encoded, feeds, model_with, prepared, refusal
from trtfarm.datasets import limits
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError
from trtfarm.models.model import Model

KIND = SourceKind.POLYGRAPHY
IDS = np.arange(10, dtype=np.int64).reshape(5, 2)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_with(tmp_path, x=("float32", ("N", 4)), ids=("int64", ("N", 2)))


def values_of(source: Source, model: Model, folder: Path) -> dict[str, Array]:
    folder.mkdir()
    data = prepare(source, model.summary.inputs, folder, labels=True)
    values = {name: np.load(entry.path) for name, entry in data.inputs.items()}
    return values | ({"labels": np.load(data.labels.path)} if data.labels else {})


def test_the_batches_of_each_input_are_its_samples(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", 64)  # so that arrays are found and decoded in many pieces
    x, labels = array(5, 4), np.array([1, 0, 2, 1, 0])
    named = [{"ids": IDS[part], "x": x[part], "labels": labels[part]} for part in (slice(3), slice(3, 4), slice(4, 5))]
    saved = feeds(tmp_path / "saved.json", *named)
    for arguments in ([str(saved)], [f"x={saved}", f"ids={saved}"]):
        values = values_of(locate(arguments, model), model, tmp_path / f"out{len(arguments)}")
        assert np.array_equal(values["x"], x)
        assert np.array_equal(values["ids"], IDS)
    assert np.array_equal(values_of(locate([str(saved)], model), model, tmp_path / "again")["labels"], labels)


@pytest.mark.parametrize("where", ["folder", "default", "files"])
def test_where_it_is_looked_for(model: Model, tmp_path: Path, where: str) -> None:
    """In the place of a specification, and as a folder with a file for each batch, beside data to verify with."""
    x, folder = array(5, 4), tmp_path / "calib_data" / "net"
    (folder / "test").mkdir(parents=True)
    feeds(folder / "test" / "data.json", {"x": array(2, 4, seed=1), "ids": IDS[:2]})
    if where == "files":
        saved = folder / "inputs"
        saved.mkdir()
        for number in range(5):
            feed = {"x": encoded(x[number : number + 1]), "ids": encoded(IDS[number : number + 1])}
            (saved / f"{number:010}.json").write_text(json.dumps(feed))
    else:
        feeds(folder / "data.json", {"x": x, "ids": IDS})
    arguments = {"folder": [str(folder)], "default": [], "files": [str(folder / "inputs")]}[where]
    source = locate(arguments, model, working_folder=tmp_path)
    assert np.array_equal(values_of(source, model, tmp_path / "out")["x"], x)
    test = held_out(source, model)
    assert test is not None
    assert np.array_equal(values_of(test, model, tmp_path / "test")["x"], array(2, 4, seed=1))


def test_the_form_of_older_releases(tmp_path: Path) -> None:
    path, x = tmp_path / "old.json", array(3, 4)
    old = {"array": encoded(x)["array"], "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"}
    path.write_text(json.dumps([{"x": old}]))
    assert np.array_equal(np.load(prepared(path, kind=KIND).inputs["x"].path), x)
    np.savez(tmp_path / "x.npz", x)
    packed = base64.b64encode((tmp_path / "x.npz").read_bytes()).decode()
    path.write_text(json.dumps([{"x": {**old, "array": packed}}]))
    assert "old releases of Polygraphy" in refusal(path, kind=KIND)


GOOD = encoded(array(2, 4))
PICKLED = encoded(np.array([Path], dtype=object), pickled=True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "no batches"),
        ("[{}]", "batch 0"),
        ([{"x": GOOD}, {"y": GOOD}], "batch 1"),
        ([{"x": GOOD}, {"x": encoded(array(2, 3))}], "[2, 3] float32 in batch 1"),
        ([{"x": GOOD}, {"x": encoded(array(2, 4, dtype="float64"))}], "float64 in batch 1"),
        ([{"x": PICKLED}], "holds elements of type |O"),
        ([{"x": {**GOOD, "array": GOOD["array"][:-8]}}], "cut short or damaged"),
        ([{"x": {**GOOD, "array": GOOD["array"] + "AAAA"}}], "there is more in it"),
        ([{"x": {**GOOD, "array": "!" + GOOD["array"][1:]}}], "not base64"),
        ([{"x": {**GOOD, "array": "\u00e9" + GOOD["array"]}}], "not base64"),
        ([{"x": {**GOOD, "array": ""}}], "not a .npy file"),
        ([{"x": {"tensor": GOOD["array"], "polygraphy_class": "Tensor"}}], "no part of a NumPy array"),
        ([{"x": {**GOOD, "polygraphy_class": "Tensor"}}], "no NumPy array"),
        ([{"x": {"array": GOOD["array"]}}], "no NumPy array"),
        ([{"x": [1.0, 2.0]}], "{ should stand there"),
        ([[{"x": GOOD}]], "{ should stand there"),
        ({"lst": [], "polygraphy_class": "RunResults"}, "{ should stand there"),
        (json.dumps([{"x": GOOD}]) + "[]", "comes after its end"),
        (json.dumps([{"x": GOOD}])[:-1] + ",]", "{ should stand there"),
        (json.dumps([{"x": GOOD}])[:60], "ends within an array"),
        ('[{"x": 1, "x": 1}]', "{ should stand there"),
        ('[{"x": ' + json.dumps(GOOD) + ', "x": ' + json.dumps(GOOD) + "}]", "x stands there twice"),
        ('[{"' + "x" * 70_000 + '": 1}]', "a name should stand there"),
        ('[{"\\ud8": 1}]', "a name is no text"),
    ],
)
def test_what_is_no_list_of_inputs_is_told(tmp_path: Path, content: Any, told: str) -> None:
    path = tmp_path / "saved.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert told in refusal(path, kind=KIND)


def test_the_number_of_arrays_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FEED_ARRAYS", 3)
    path = feeds(tmp_path / "saved.json", *[{"x": array(1, 4)}] * 4)
    assert "too many arrays" in refusal(path, kind=KIND)


def test_an_input_that_is_not_in_it_is_told_with_those_that_are(model: Model, tmp_path: Path) -> None:
    path = feeds(tmp_path / "saved.json", {"x": array(1, 4), "mask": IDS[:1]})
    with pytest.raises(DataError) as caught:
        locate([str(path)], model)
    assert "ids" in str(caught.value)
    assert "its arrays are x, mask" in str(caught.value.cause)


def test_finding_it_takes_no_numpy() -> None:
    code = "import sys, trtfarm.datasets.locate; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
