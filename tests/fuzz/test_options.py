"""What a submission reads besides: ranges by hand, builder options, data specifications, shapes, versions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.fuzz.seeds import written
from trtfarm.build_options import check_options, options_of, read_ranges
from trtfarm.compute_capability import ComputeCapability
from trtfarm.datasets.spec import checked_preprocessing, read_spec
from trtfarm.digests import digest_of_json
from trtfarm.errors import DataError, InputError, UsageError
from trtfarm.models.shapes import profile_of
from trtfarm.models.summary import TensorType
from trtfarm.targets import TENSORRT
from trtfarm.versions import TensorRTVersion

RANGES = (b"data: 1.0\nconv1: 2.83\nx:0: 0.5\n", b"(Unnamed Layer* 1): 3e-5\r\n")
OPTIONS = (
    b'workspace_bytes = "256MiB"\nflags = ["FP16"]\n[layer_precisions]\nconv1 = "fp16"\n',
    b'dla_core = 0\ngpu_fallback = true\n[io_formats.data]\ndtype = "fp16"\nformats = ["CHW4"]\n',
    b'precision_constraints = "obey"\n[dynamic_ranges]\ndata = 1.5\n',
)
SPECIFICATIONS = (
    b'[inputs.data]\npath = "photos"\nsource = "images"\ncrop = [224, 224]\nmean = [0.485, 0.456, 0.406]\n',
    b'[inputs."x:0"]\nmember = "x_train"\ndivide = 255.0\ndtype = "float32"\n[labels]\npath = "labels.npy"\n',
)
TOML_WORDS = (b"[", b"]", b"=", b'"', b"'''", b"{", b"}", b",", b"1979-05-27T07:32:00Z", b"inf", b"[[x]]", b"[" * 3000)
STEPS: tuple[dict[str, Any], ...] = (
    {"resize": 256, "filter": "bilinear", "crop": [224, 224], "color": "BGR", "layout": "NHWC", "divide": 255.0},
    {"mean": [0.485, 0.456, 0.406], "std": [0.2], "exif_orientation": True, "dtype": "float16"},
)
INPUTS = (TensorType(name="x", dtype="float32", dims=("N", 3, None)), TensorType(name="y=", dtype="int64", dims=None))
NAMED: dict[str, Any] = {
    "workspace_bytes": 1 << 30,
    "flags": ["FP16"],
    "precision_constraints": "prefer",
    "layer_precisions": {"conv1": "fp16"},
    "io_formats": {"data": {"dtype": "fp16", "formats": ["CHW4"]}},
    "dynamic_ranges": {"data": 1.5},
    "dla_core": 0,
    "gpu_fallback": True,
}


def _text(data: bytes) -> str:
    """As a shell hands it over: bytes that are no UTF-8 are lone surrogates. Long words are told again."""
    return data.decode(errors="surrogateescape").replace("\0", "")[:1000]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("options")


@given(data=mutated(RANGES, (b": ", b":", b"\n", b"inf", b"1e-400")))
def test_ranges_by_hand(folder: Path, data: bytes) -> None:
    path = written(folder, "ranges.txt", data)
    ranges = outcome(lambda: read_ranges(path), UsageError)
    if ranges is None:
        return
    check_options({"dynamic_ranges": ranges}, TENSORRT)
    again = "".join(f"{tensor}: {amax!r}\n" for tensor, amax in ranges.items())
    assert read_ranges(written(folder, "again.txt", again.encode())) == ranges


@given(data=mutated(OPTIONS, TOML_WORDS), texts=st.lists(mutated(OPTIONS, TOML_WORDS).map(_text), max_size=2))
def test_builder_options_as_files_and_words(folder: Path, data: bytes, texts: list[str]) -> None:
    path = written(folder, "options.toml", data)
    options = outcome(lambda: options_of(texts, path, None), UsageError)
    if options is not None:
        _taken_or_refused(options)


@given(options=altered([NAMED]))
def test_builder_options_as_data(options: Any) -> None:
    if isinstance(options, dict):
        _taken_or_refused(options)


def _taken_or_refused(options: dict[str, Any]) -> None:
    """What is taken has a key, which every build is stored under."""
    for toolchain in (TENSORRT, "tensorrt-rtx"):
        outcome(partial(_key_of, options, toolchain), UsageError)


def _key_of(options: dict[str, Any], toolchain: str) -> str:
    check_options(options, toolchain)
    return digest_of_json(options)


@given(data=mutated(SPECIFICATIONS, TOML_WORDS), suffix=st.sampled_from([".toml", ".json"]))
def test_data_specifications(folder: Path, data: bytes, suffix: str) -> None:
    path = written(folder, f"data{suffix}", data)
    found = outcome(lambda: read_spec(path), DataError)
    for entry in found.inputs.values() if found else ():
        digest_of_json(entry.preprocessing.as_dict())
        assert entry.path is None or ".." not in entry.path.split("/")


@given(steps=altered(STEPS))
def test_preprocessing_as_data(steps: Any) -> None:
    kept = outcome(lambda: checked_preprocessing("x", steps), DataError)
    if kept is not None:
        digest_of_json(kept)
        assert checked_preprocessing("x", kept) == kept


@given(option=mutated((b"x=1x3x8:8x3x8:32x3x8", b"y==1x2", b"x=1:8:32"), (b"x", b":", b"=")).map(_text))
def test_shapes(option: str) -> None:
    profile = outcome(lambda: profile_of(INPUTS, [option, "y==4"]), InputError)
    if profile is not None:
        digest_of_json(profile.as_dict())


@given(text=mutated((b"10.13.3.9", b"8.5", b"sm_89", b"8.9"), (b".", b"sm_")).map(_text))
def test_versions_and_devices(text: str) -> None:
    version = outcome(lambda: TensorRTVersion.parse(text), UsageError)
    assert version is None or str(version) == str(TensorRTVersion.parse(str(version)))
    device = outcome(lambda: ComputeCapability.parse(text), UsageError)
    assert device is None or ComputeCapability.parse(str(device)) == device
