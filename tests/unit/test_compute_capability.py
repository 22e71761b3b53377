from __future__ import annotations

import pytest

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import UsageError


@pytest.mark.parametrize("text", ["sm_89", "sm89", "SM89", "SM_89", "89", "8.9"])
def test_every_way_of_writing_one_is_the_same(text: str) -> None:
    assert str(ComputeCapability.parse(text)) == "sm_89"


@pytest.mark.parametrize(("text", "parts"), [("sm_120", (12, 0)), ("12.1", (12, 1)), ("100", (10, 0)), ("7.5", (7, 5))])
def test_the_last_digit_is_the_minor_number(text: str, parts: tuple[int, int]) -> None:
    assert ComputeCapability.parse(text) == ComputeCapability(*parts)


@pytest.mark.parametrize(
    "text",
    ["", "8", "sm_", "sm_8.9", "8.90", "1200", "compute_89", "8.9 ", "89\n", "-89", "\N{FULLWIDTH DIGIT EIGHT}9"],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a compute capability"):
        ComputeCapability.parse(text)


def test_newer_ones_are_greater() -> None:
    texts = ["sm_75", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"]
    assert [str(found) for found in sorted(map(ComputeCapability.parse, reversed(texts)))] == texts
