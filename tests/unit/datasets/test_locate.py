"""What is taken for calibration when nothing, little or much is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, idx, model_with, npy
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.locate import locate
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError, InputError, UsageError
from trtfarm.models.model import Model


@pytest.fixture
def one(tmp_path: Path) -> Model:
    return model_with(tmp_path, x=("float32", ("N", 4)))


@pytest.fixture
def two(tmp_path: Path) -> Model:
    return model_with(tmp_path, ids=("int64", ("N", 8)), mask=("int64", ("N", 8)))


def _paths(source: Source) -> dict[str, Path]:
    return {name: entry.file.path for name, entry in source.inputs.items()}


def _refused(model: Model, folder: Path, *arguments: str) -> str:
    with pytest.raises(InputError) as caught:
        locate(arguments, model, working_folder=folder)
    assert caught.value.remedy
    return str(caught.value)


def test_the_search_goes_from_near_to_far(one: Model, tmp_path: Path) -> None:
    data = tmp_path / "calib_data"
    beside = npy(tmp_path / "x.npy", array(2, 4))
    assert _paths(locate([], one, working_folder=tmp_path)) == {"x": beside}
    shared = npy(data / "x.npy", array(2, 4))
    assert _paths(locate([], one, working_folder=tmp_path)) == {"x": shared}
    own = npy(data / "net" / "x.npy", array(2, 4))
    source = locate([], one, working_folder=tmp_path)
    assert _paths(source) == {"x": own}
    assert (source.folder, str(source)) == (data / "net", str(own))


def test_the_real_sample_sets_are_found(golden: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    model = Model.read(root / "calib_data" / "mnist" / "lenet.onnx")
    assert _paths(locate([], model)) == {"data": root / "calib_data" / "mnist" / "data.npy"}


def test_a_specification_in_the_search(one: Model, tmp_path: Path) -> None:
    npy(tmp_path / "calib_data" / "net" / "raw.npy", array(2, 4))
    (tmp_path / "calib_data" / "net" / "data.toml").write_text('[inputs.x]\npath = "raw.npy"\ndivide = 2')
    source = locate([], one, working_folder=tmp_path)
    preprocessing = source.inputs["x"].preprocessing
    assert preprocessing is not None
    assert preprocessing.divide == 2
    assert source.inputs["x"].file.path.name == "raw.npy"


def test_data_json_beside_a_model_is_anybodys(one: Model, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("{}")
    assert "no data to calibrate with" in _refused(one, tmp_path)


def test_nothing_found_says_where_it_looked(one: Model, tmp_path: Path) -> None:
    said = _refused(one, tmp_path)
    assert f"looked in {tmp_path}/calib_data/net/, {tmp_path}/calib_data/, {tmp_path}/" in said
    assert "x (float32, Nx4)" in said


def test_half_of_the_inputs_says_which(two: Model, tmp_path: Path) -> None:
    ids = npy(tmp_path / "calib_data" / "ids.npy", array(2, 8))
    said = _refused(two, tmp_path)
    assert "has no data for the model's input mask (int64, Nx8)" in said
    assert f"found {ids} for ids" in said


def test_a_folder(two: Model, tmp_path: Path) -> None:
    for name in ("ids", "mask", "extra", "labels"):
        npy(tmp_path / "d" / f"{name}.npy", array(2, 8))
    source = locate(["d"], two, working_folder=tmp_path)
    assert list(source.inputs) == ["ids", "mask"]
    assert source.labels is not None
    assert source.notices == (f"{tmp_path}/d/extra.npy is no input of the model and was left out",)


def test_a_folder_with_other_things(one: Model, tmp_path: Path) -> None:
    npy(tmp_path / "d" / "y.npy", array(2, 4))
    assert "in it: y.npy" in _refused(one, tmp_path, "d")
    (tmp_path / "empty").mkdir()
    assert "in it: nothing" in _refused(one, tmp_path, "empty")


def test_input_names_that_are_no_file_names(tmp_path: Path) -> None:
    model = model_with(tmp_path, **{"a:0": ("float32", (1, 4)), "b/c": ("float32", (1, 4)), "..": ("float32", (1, 4))})
    names = ["a:0.npy", "b%2Fc.npy", "%2E..npy"]
    for name in names:
        npy(tmp_path / "d" / name, array(2, 4))
    source = locate([str(tmp_path / "d")], model)
    assert [path.name for path in _paths(source).values()] == names
    assert source.notices == ()


def test_one_file_for_a_model_with_one_input(one: Model, tmp_path: Path) -> None:
    path = npy(tmp_path / "any name=really.npy", array(2, 4))
    assert _paths(locate([path.name], one, working_folder=tmp_path)) == {"x": path}


def test_one_file_for_a_model_with_two_inputs(two: Model, tmp_path: Path) -> None:
    npy(tmp_path / "a.npy", array(2, 8))
    assert "--data ids=… --data mask=…" in _refused(two, tmp_path, "a.npy")


def test_named_files(two: Model, tmp_path: Path) -> None:
    ids, mask = npy(tmp_path / "i=1.npy", array(2, 8)), npy(tmp_path / "m.npy", array(2, 8))
    source = locate(["mask=m.npy", "ids=i=1.npy"], two, working_folder=tmp_path)
    assert _paths(source) == {"ids": ids, "mask": mask}
    assert list(source.inputs) == ["ids", "mask"]


def test_named_files_that_do_not_fit(two: Model, tmp_path: Path) -> None:
    npy(tmp_path / "m.npy", array(2, 8))
    assert "no such file, and 'token' is no input" in _refused(two, tmp_path, "token=m.npy", "mask=m.npy")
    assert "--data missing.npy: no such file or folder" in _refused(two, tmp_path, "missing.npy")
    assert "does not say which input it is for" in _refused(two, tmp_path, "m.npy", "mask=m.npy")
    assert "has no data for the model's input ids" in _refused(two, tmp_path, "mask=m.npy")
    assert "given twice" in _refused(two, tmp_path, "mask=m.npy", "mask=m.npy")
    assert "No such file" in _refused(two, tmp_path, "mask=n.npy", "ids=m.npy")


@pytest.mark.parametrize("argument", ["", "x=", "="])
def test_nothing_is_not_the_current_folder(one: Model, tmp_path: Path, argument: str) -> None:
    npy(tmp_path / "x.npy", array(6, 4))
    with pytest.raises(UsageError, match="names no data"):
        locate([argument], one, working_folder=tmp_path)


def test_an_archive(two: Model, one: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", ids=array(2, 8), mask=array(2, 8), more=array(1), label=array(2))
    source = locate(["d.npz"], two, working_folder=tmp_path)
    assert {name: entry.member for name, entry in source.inputs.items()} == {"ids": "ids", "mask": "mask"}
    assert source.labels is not None
    assert source.labels.member == "label"
    assert source.notices == (f"more in {tmp_path}/d.npz is no input of the model and was left out",)
    np.savez(tmp_path / "s.npz", data=array(2, 4), label=array(2))
    assert locate(["s.npz"], one, working_folder=tmp_path).inputs["x"].member == "data"
    assert locate(["x=s.npz"], one, working_folder=tmp_path).inputs["x"].member is None
    assert "its arrays are data, label" in _refused(two, tmp_path, "s.npz")


def test_an_idx_file(one: Model, tmp_path: Path) -> None:
    idx(tmp_path / "train-images-idx3-ubyte", array(2, 4), packed=True)
    entry = locate(["train-images-idx3-ubyte"], one, working_folder=tmp_path).inputs["x"]
    assert entry.kind is SourceKind.IDX


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_specification_by_name(one: Model, tmp_path: Path, suffix: str) -> None:
    npy(tmp_path / "d" / "x.npy", array(2, 4))
    text = "[inputs.x]" if suffix == "toml" else json.dumps({"inputs": {"x": {}}})
    (tmp_path / "d" / f"my.{suffix}").write_text(text)
    source = locate([f"d/my.{suffix}"], one, working_folder=tmp_path)
    assert _paths(source) == {"x": tmp_path / "d" / "x.npy"}
    assert source.spec is not None


def test_a_specification_need_not_name_all_inputs(two: Model, tmp_path: Path) -> None:
    for name in ("ids", "mask"):
        npy(tmp_path / "d" / f"{name}.npy", array(2, 8))
    (tmp_path / "d" / "data.toml").write_text('[inputs.mask]\ndtype = "int64"')
    source = locate(["d"], two, working_folder=tmp_path)
    assert [entry.preprocessing is None for entry in source.inputs.values()] == [True, False]


def test_a_specification_that_does_not_fit(one: Model, two: Model, tmp_path: Path) -> None:
    npy(tmp_path / "d" / "ids.npy", array(2, 8))
    (tmp_path / "d" / "data.toml").write_text("[inputs.ids]")
    assert "entry for 'ids', which is no input of the model" in _refused(one, tmp_path, "d")
    assert "no data for the model's input mask" in _refused(two, tmp_path, "d")
    (tmp_path / "d" / "data.toml").write_text('[inputs.ids]\npath = "gone.npy"')
    assert "gone.npy cannot be read" in _refused(two, tmp_path, "d")


def test_what_a_specification_names_is_no_link(one: Model, tmp_path: Path) -> None:
    """The user may point at a link; data that was handed in may not."""
    outside = npy(tmp_path / "outside" / "x.npy", array(2, 4))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link.npy").symlink_to(outside)
    assert _paths(locate(["d/link.npy"], one, working_folder=tmp_path)) == {"x": tmp_path / "d" / "link.npy"}
    (tmp_path / "d" / "data.toml").write_text('[inputs.x]\npath = "link.npy"')
    assert "not a link" in _refused(one, tmp_path, "d")
    (tmp_path / "d" / "sub").symlink_to(tmp_path / "outside")
    (tmp_path / "d" / "data.toml").write_text('[inputs.x]\npath = "sub/x.npy"')
    assert "not a link" in _refused(one, tmp_path, "d")


def test_things_that_are_no_data(one: Model, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in _refused(one, tmp_path, "pipe")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nonsense")
    assert "not a whole zip file" in _refused(one, tmp_path, "bad.npz")
    (tmp_path / "text.npz").write_bytes(b"hello")
    assert "not a whole zip file" in _refused(one, tmp_path, "text.npz")
    with pytest.raises(DataError):
        locate(["nul\0byte"], one, working_folder=tmp_path)
    with pytest.raises(DataError):
        locate([], one, working_folder=tmp_path / "nowhere")
    for argument in ("x" * 300, f"x={'x' * 300}"):
        assert "File name too long" in _refused(one, tmp_path, argument)
