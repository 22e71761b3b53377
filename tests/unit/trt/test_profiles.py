from __future__ import annotations

from typing import Any

import pytest

from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.profiles import profile_shapes

_INPUTS = {"image": (-1, 3, 32, 32), "scale": (1,), "flag": ()}


def _profile(low: list[int], usual: list[int], high: list[int]) -> dict[str, list[int]]:
    return {"min": low, "opt": usual, "max": high}


def test_fixed_inputs_need_no_profile() -> None:
    image = _profile([1, 3, 32, 32], [8, 3, 32, 32], [64, 3, 32, 32])
    assert profile_shapes(_INPUTS, {"image": image}) == {
        "image": ((1, 3, 32, 32), (8, 3, 32, 32), (64, 3, 32, 32)),
        "scale": ((1,), (1,), (1,)),
        "flag": ((), (), ()),
    }


@pytest.mark.parametrize(
    ("profiles", "words"),
    [
        ({}, "'image' of shape -1x3x32x32 needs a profile"),
        ({"other": _profile([1], [1], [1])}, "no input 'other'"),
        ({"image": _profile([1, 3, 32], [1, 3, 32], [1, 3, 32])}, "does not fit"),
        ({"image": _profile([0, 3, 32, 32], [1, 3, 32, 32], [1, 3, 32, 32])}, "does not fit"),
        ({"image": _profile([1, 3, 32, 32], [1, 3, 64, 32], [1, 3, 64, 32])}, "does not fit"),
        ({"image": _profile([4, 3, 32, 32], [2, 3, 32, 32], [8, 3, 32, 32])}, "does not grow"),
    ],
)
def test_what_tensorrt_would_refuse_is_refused_with_a_reason(profiles: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        profile_shapes(_INPUTS, profiles)
