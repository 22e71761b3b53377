"""`data.toml` and `data.json`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.spec import DataSpec, InputSpec, read_spec
from trtfarm.errors import DataError

WHOLE = """
samples = [16, 516]
[inputs.data]
path = "./photos"
source = "images"
resize = 256
filter = "bicubic"
crop = [224, 200]
color = "BGR"
exif_orientation = true
layout = "NHWC"
divide = 255
mean = [0.5, 0, 0.25]
std = 0.5
dtype = "float32"

[inputs."x:0"]
path = "arrays.npz"
member = "x"

[labels]
path = "labels.npy"
"""


def _read(folder: Path, text: str, name: str = "data.toml") -> DataSpec:
    (folder / name).write_text(text)
    return read_spec(folder / name)


def _refused(folder: Path, text: str, name: str = "data.toml") -> str:
    with pytest.raises(DataError, match="is not a data specification") as caught:
        _read(folder, text, name)
    return str(caught.value.cause)


def test_every_key(tmp_path: Path) -> None:
    spec = _read(tmp_path, WHOLE)
    data = spec.inputs["data"]
    assert (data.path, data.kind, data.member) == ("photos", SourceKind.IMAGES, None)
    assert data.preprocessing == Preprocessing(
        resize=256,
        filter="bicubic",
        crop=(224, 200),
        color="BGR",
        exif_orientation=True,
        layout="NHWC",
        divide=255.0,
        mean=(0.5, 0.0, 0.25),
        std=(0.5,),
        dtype="float32",
    )
    assert spec.inputs["x:0"] == InputSpec(path="arrays.npz", kind=None, member="x", preprocessing=Preprocessing())
    assert spec.labels == InputSpec(path="labels.npy", kind=None, member=None, preprocessing=Preprocessing())
    assert spec.samples == (16, 516)


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    one = _read(tmp_path, WHOLE)
    two = _read(tmp_path, json.dumps(tomllib.loads(WHOLE)), "data.json")
    assert one == two


def test_the_canonical_form_has_what_differs_from_the_defaults(tmp_path: Path) -> None:
    plain = _read(tmp_path, '[inputs.x]\nlayout = "NCHW"\ndivide = 1\ncolor = "RGB"').inputs["x"].preprocessing
    assert plain.as_dict() == {}
    sized = _read(tmp_path, "[inputs.x]\nresize = [4, 5]\nmean = 1").inputs["x"].preprocessing
    assert sized.as_dict() == {"resize": [4, 5], "mean": [1.0]}
    assert json.loads(json.dumps(sized.as_dict())) == sized.as_dict()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "[inputs."),
        ("inputs = 3", "[inputs."),
        ("[inputs]", "[inputs."),
        ("[inputs]\nx = 3", "inputs.x is not a table"),
        ("[input.x]", "the file has the unknown key 'input'; it may have inputs, labels"),
        ("samples = 500\n[inputs.x]", "samples is 500; it must be the first sample, counted from 0"),
        ("samples = [5, 5]\n[inputs.x]", "the one after the last, such as [0, 500]"),
        ("samples = [-1, 5]\n[inputs.x]", "samples is [-1, 5]"),
        ("samples = [0.0, 5]\n[inputs.x]", "samples is [0.0, 5]"),
        ("[inputs.x]\ncolour = 'RGB'", "inputs.x has the unknown key 'colour'; it may have color, crop"),
        ("[inputs.x]\n[labels]\ndivide = 2", "labels has the unknown key 'divide'; it may have member, path, source"),
        ("[inputs.x]\ncolor = 'CMYK'", "inputs.x.color is 'CMYK'; it must be one of RGB, BGR, gray"),
        ("[inputs.x]\nlayout = 1", "one of NCHW, NHWC"),
        ("[inputs.x]\nfilter = 'box'", "one of nearest"),
        ("[inputs.x]\nsource = 'csv'", "one of npy, npz, idx, polygraphy, raw, images"),
        ("[inputs.x]\ndtype = 'complex64'", "one of float16"),
        ("[inputs.x]\nresize = 0", "pixels from 1"),
        ("[inputs.x]\nresize = 100000", "pixels from 1"),
        ("[inputs.x]\nresize = true", "pixels from 1"),
        ("[inputs.x]\nresize = 2.5", "pixels from 1"),
        ("[inputs.x]\nresize = [1]", "a height and a width"),
        ("[inputs.x]\ncrop = 224", "a height and a width"),
        ("[inputs.x]\ncrop = [1, 2, 3]", "a height and a width"),
        ("[inputs.x]\nexif_orientation = 1", "true or false"),
        ("[inputs.x]\ndivide = 0", "other than 0"),
        ("[inputs.x]\ndivide = '255'", "a number"),
        ("[inputs.x]\ndivide = nan", "a number"),
        ("[inputs.x]\ndivide = inf", "a number"),
        ("[inputs.x]\nmean = 1" + "0" * 500, "a number"),
        ("[inputs.x]\nmean = []", "one number, or a list"),
        ("[inputs.x]\nresize = 0x" + "f" * 5000, "thousands of digits; it must be a number of pixels from 1"),
        ("[inputs.x]\nmean = [[1]]", "a number"),
        ("[inputs.x]\nstd = [1, 0]", "other than 0"),
        ("[inputs.x]\npath = 3", "a name"),
        ("[inputs.x]\npath = ''", "a name"),
        ("[inputs.x]\npath = '/etc/passwd'", "within its folder"),
        ("[inputs.x]\npath = '../x.npy'", "within its folder"),
        ("[inputs.x]\npath = 'a/../../x.npy'", "within its folder"),
        ("[inputs.x]\nmember = 1", "a name"),
        ("[inputs.x", "not TOML"),
        ("x = " + "[" * 100_000, "not TOML"),
    ],
)
def test_strict(tmp_path: Path, text: str, says: str) -> None:
    assert says in _refused(tmp_path, text)


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"inputs": []}', "[" * 100_000, "NaN", "1" * 10_000])
def test_strict_json(tmp_path: Path, text: str) -> None:
    _refused(tmp_path, text, "data.json")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "data.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not a data specification"):
        read_spec(tmp_path / "data.toml")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(["path", "source", "member", "resize", "crop", "divide", "mean", "std", "dtype", "layout"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.dictionaries(_KEYS, _VALUES, max_size=4), labels=_VALUES)
def test_any_json(tmp_path: Path, entry: dict[str, Any], labels: Any) -> None:
    try:
        _read(tmp_path, json.dumps({"inputs": {"x": entry}, "labels": labels}), "data.json")
    except DataError as error:
        assert "is not a data specification" in error.message  # noqa: PT017 - both outcomes are right
