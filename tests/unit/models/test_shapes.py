"""Optimization profiles from `--shape` and the model."""

from __future__ import annotations

import pytest

from trtfarm.errors import UsageError
from trtfarm.models.shapes import OptimizationProfile, ShapeRange, check_shapes, profile_of, profiles_of
from trtfarm.models.summary import Dimension, TensorType


def _input(name: str, *dims: Dimension) -> TensorType:
    return TensorType(name=name, dtype="float32", dims=dims)


IMAGE = [_input("x", "N", 3, 224, 224)]
OPEN_IMAGE = [_input("x", "N", 3, "H", "W")]
TEXT = [_input("ids", "batch", "length"), _input("mask", "batch", "length")]


def test_an_input_that_is_named_again_asks_for_another_profile() -> None:
    first, second = profiles_of(TEXT, ["ids=1x64:8x64:16x64", "mask=1x64:8x64:16x64", "ids=1x128", "mask=1x128"])
    assert _ranges(first)["ids"] == ("1x64", "8x64", "16x64")
    assert _ranges(second) == {"ids": ("1x128",) * 3, "mask": ("1x128",) * 3}
    apart = [_input("x", "N", 2), _input("y", "M", 3)]
    small, large = profiles_of(apart, ["x=1", "y=2", "x=32"])
    assert (_ranges(small)["y"], _ranges(large)["y"]) == (("2x3",) * 3, ("2x3",) * 3)
    assert (_ranges(small)["x"], _ranges(large)["x"]) == (("1x2",) * 3, ("32x2",) * 3)
    assert profiles_of(IMAGE, []) == (profile_of(IMAGE, []),)


def _ranges(profile: OptimizationProfile) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple("x".join(map(str, shape)) for shape in (r.minimum, r.optimum, r.maximum))
        for name, r in profile.inputs.items()
    }


@pytest.mark.parametrize(
    ("inputs", "options", "expected"),
    [
        (IMAGE, [], {"x": ("1x3x224x224", "8x3x224x224", "32x3x224x224")}),
        ([_input("x", 4, 3)], [], {"x": ("4x3",) * 3}),
        ([_input("x", None, 3)], [], {"x": ("1x3", "8x3", "32x3")}),
        (IMAGE, ["x=2:4:6"], {"x": ("2x3x224x224", "4x3x224x224", "6x3x224x224")}),
        (IMAGE, ["16"], {"x": ("16x3x224x224",) * 3}),
        (
            OPEN_IMAGE,
            ["x=1x3x32x32:8x3x64x64:32x3x96x128"],
            {"x": ("1x3x32x32", "8x3x64x64", "32x3x96x128")},
        ),
        (TEXT, ["ids=1x64:8x64:16x64"], {"ids": ("1x64", "8x64", "16x64"), "mask": ("1x64", "8x64", "16x64")}),
        (
            [_input("a=b:0", "N", 2), _input("c", None, 5)],
            ["a=b:0=1:2:3"],
            {"a=b:0": ("1x2", "2x2", "3x2"), "c": ("1x5", "2x5", "3x5")},
        ),
        ([TensorType(name="x", dtype="int64", dims=None)], ["x=1x7:2x7:4x7"], {"x": ("1x7", "2x7", "4x7")}),
        ([_input("x", "N")], ["1:8:32"], {"x": ("1", "8", "32")}),
        ([_input("x", "N", 3), _input("scale")], [], {"x": ("1x3", "8x3", "32x3"), "scale": ("", "", "")}),
    ],
)
def test_profiles(inputs: list[TensorType], options: list[str], expected: dict[str, tuple[str, ...]]) -> None:
    assert _ranges(profile_of(inputs, options)) == expected


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (OPEN_IMAGE, [], "--shape x=1x3x64x64:8x3x64x64:32x3x64x64"),
        (OPEN_IMAGE, [], "H, W"),
        (OPEN_IMAGE, ["x=1:8:32"], "does not fit"),
        ([TensorType(name="x", dtype="int64", dims=None)], [], "no fixed size: all"),
        ([_input("x", "N", None)], [], "number 1"),
        (IMAGE, ["y=1:2:3"], "its inputs are x"),
        (TEXT, ["1x64"], "no input ''"),
        (IMAGE, ["x=1", "x=2"], "twice"),
        (IMAGE, ["x=1:2"], "three separated by colons"),
        (IMAGE, ["x=1:2:three"], "write --shape x=1x3x224x224:8x3x224x224:32x3x224x224"),
        (IMAGE, ["x="], "not a shape"),
        (IMAGE, ["x=1x1x224x224"], "does not fit"),
        (IMAGE, ["x=8:4:32"], "grow"),
        (IMAGE, ["x=0:4:32"], "at least 1"),
        (IMAGE, ["x=-1"], "not a shape"),
        (IMAGE, ["x=9999999999"], "at least 1"),
        ([_input("x", 4, 3)], ["x=8x3"], "does not fit"),
        (TEXT, ["ids=1x64", "mask=1x32"], "'length' two ranges: 64:64:64 and 32:32:32"),
        ([TensorType(name="x", dtype="int64", dims=None)], ["x=1x7:2:4x7"], "grow"),
    ],
)
def test_refused(inputs: list[TensorType], options: list[str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(inputs, options)
    assert says in str(caught.value)


def test_the_example_fits_the_data_at_hand() -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(TEXT, [], {"ids": (200, 128)})
    assert caught.value.remedy == "add --shape ids=1x128:8x128:32x128"


def test_a_range_admits_what_lies_in_it() -> None:
    shapes = ShapeRange(minimum=(1, 3), optimum=(8, 3), maximum=(32, 3))
    assert shapes.admits((32, 3))
    assert not shapes.admits((33, 3))
    assert not shapes.admits((8, 4))
    assert not shapes.admits((8,))


def test_plain_data() -> None:
    profile = profile_of(IMAGE, ["x=1:2:3"])
    assert profile.as_dict() == {"x": {"min": [1, 3, 224, 224], "opt": [2, 3, 224, 224], "max": [3, 3, 224, 224]}}


@pytest.mark.parametrize("options", [["x=1:2"], ["y=1:2:3"], ["x=8:4:32"], ["x=1", "x=1x1x224x224"]])
def test_options_are_refused_without_the_data(options: list[str]) -> None:
    with pytest.raises(UsageError):
        check_shapes(IMAGE, options)


def test_what_options_leave_open_waits_for_the_data() -> None:
    check_shapes(TEXT, ["mask=1x64"])
    check_shapes(OPEN_IMAGE, [])
