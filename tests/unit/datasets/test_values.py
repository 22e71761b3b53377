"""Types, casts and arithmetic: what is refused, and what comes out, against plain NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import Array, array, npy, prepared, refusal, tensor
from trtfarm.datasets.fit import constant_inputs
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.models.summary import TensorType


def _values(path: Path, wanted: TensorType, preprocessing: Preprocessing) -> Array:
    result: Array = np.load(prepared(path, wanted, preprocessing).inputs["x"].path)
    return result


def test_types_must_agree_unless_said_otherwise(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", np.arange(8, dtype=np.int64).reshape(2, 4))
    said = refusal(path, tensor(dtype="int32"))
    assert "holds int64, but the model's input is x (int32, Nx4)" in said
    assert 'dtype = "int32"' in said
    assert _values(path, tensor(dtype="int32"), Preprocessing(dtype="int32")).dtype == np.int32
    assert "the model's input is x (int32" in refusal(path, tensor(dtype="int32"), Preprocessing(dtype="int64"))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1 << 40, "int32"),
        (-1, "uint8"),
        (2, "bool"),
        (0.5, "int64"),
        (np.nan, "int64"),
        (1e30, "int64"),
        (1e6, "float16"),
    ],
)
def test_values_that_do_not_survive_the_cast(tmp_path: Path, value: float, dtype: str) -> None:
    values = np.zeros((3, 4), type(value) if isinstance(value, float) else np.int64)
    values[1, 2] = value
    said = refusal(npy(tmp_path / "x.npy", values), tensor(dtype=dtype), Preprocessing(dtype=dtype))
    assert "sample 1 of" in said
    assert dtype in said


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arithmetic_is_that_of_float32(tmp_path: Path, dtype: str) -> None:
    pixels = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7).astype(np.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    steps = Preprocessing(divide=255.0, mean=mean, std=std)
    result = _values(npy(tmp_path / "x.npy", pixels), tensor(dims=("N", 3, 5, 7), dtype=dtype), steps)
    work = np.dtype("float64" if dtype == "float64" else "float32")
    shaped: list[Array] = [np.array(numbers, work).reshape(3, 1, 1) for numbers in (mean, std)]
    divided: Array = pixels.astype(work) / np.array(255, work)
    assert np.array_equal(result, ((divided - shaped[0]) / shaped[1]).astype(dtype))


def test_channels_last(tmp_path: Path) -> None:
    values = array(2, 5, 7, 3)
    steps = Preprocessing(mean=(1.0, 2.0, 3.0), layout="NHWC")
    result = _values(npy(tmp_path / "x.npy", values), tensor(dims=("N", 5, 7, 3)), steps)
    assert np.array_equal(result, values - np.array([1, 2, 3], np.float32))


def test_channels_must_be_as_many_as_numbers(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(2, 5, 7, 3))
    assert "layout" in refusal(path, tensor(dims=("N", 5, 7, 3)), Preprocessing(mean=(1.0, 2.0, 3.0)))


def test_fractions_for_whole_numbers(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", np.ones((2, 4), np.int64))
    assert "make fractions" in refusal(path, tensor(dtype="int64"), Preprocessing(divide=2.0))


def test_arithmetic_that_leaves_the_finite(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(2, 4) + np.float32(1))
    assert "NaN or infinite" in refusal(path, tensor(), Preprocessing(divide=1e-39))
    assert "NaN or infinite" in refusal(path, tensor(), Preprocessing(mean=(1e38,), std=(1e-10,)))


def test_steps_for_images_do_not_apply_to_arrays(tmp_path: Path) -> None:
    assert "resize is for images" in refusal(npy(tmp_path / "x.npy", array(2, 4)), None, Preprocessing(resize=8))


def test_input_types_that_numpy_does_not_have(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(2, 4))
    for dtype in ("bfloat16", "string", "complex64", "int4"):
        assert f"NumPy has no plain numbers of type {dtype}" in refusal(path, tensor(dtype=dtype))


@pytest.mark.parametrize(
    ("dims", "shape"), [(("N", 4), (5, 3)), (("N", 4), (5, 4, 1)), (("N", 1, 28, 28), (5, 28, 28)), ((4,), (4, 1))]
)
def test_shapes_must_agree(tmp_path: Path, dims: tuple[str | int, ...], shape: tuple[int, ...]) -> None:
    said = refusal(npy(tmp_path / "x.npy", array(*shape)), tensor(dims=dims))
    assert "x".join(map(str, shape)) in said
    assert "x".join(map(str, dims)) in said


def test_inputs_without_an_axis_for_samples(tmp_path: Path) -> None:
    assert "no axis for samples" in refusal(npy(tmp_path / "x.npy", array(2)), tensor(dims=()))


def test_shapes_that_the_model_does_not_fix(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", array(3, 7))
    assert prepared(path, TensorType(name="x", dtype="float32", dims=None)).samples == 3
    assert prepared(path, tensor(dims=(None, None))).samples == 3
    assert prepared(path, tensor(dims=(1, "length"))).samples == 3


@pytest.mark.parametrize(
    ("values", "dtype", "told"),
    [
        (np.zeros((3, 4)), "float32", "every value of the input x is 0,"),
        (np.full((3, 4), 0.1), "float32", "every value of the input x is 0.1,"),
        (np.full((3, 4), 101), "int64", "every value of the input x is 101,"),
        (np.arange(12).reshape(3, 4) // 11, "float32", None),
    ],
)
@pytest.mark.parametrize("copy", [True, False])
def test_data_of_one_value_are_told(tmp_path: Path, values: Array, dtype: str, told: str | None, *, copy: bool) -> None:
    data = prepared(npy(tmp_path / "x.npy", values.astype(dtype)), tensor(dtype=dtype), copy=copy)
    assert len(data.notices) == (told is not None)
    assert told is None or told in data.notices[0]


def test_one_value_alone_and_masks_beside_other_inputs_are_not_told(tmp_path: Path) -> None:
    assert prepared(npy(tmp_path / "x.npy", array(1, 1)), tensor(dims=("N", 1))).notices == ()
    ids = prepared(npy(tmp_path / "x.npy", array(3, 4))).inputs["x"]
    ones = npy(tmp_path / "x.npy", np.ones((3, 4), np.int64))
    mask = prepared(ones, tensor(dtype="int64")).inputs["x"]
    assert mask.constant == 1
    assert constant_inputs({"ids": ids, "mask": mask}) == ()
    (told,) = constant_inputs({"ids": ids, "mask": replace(mask, dtype="float32")})
    assert "the input mask is 1," in told
