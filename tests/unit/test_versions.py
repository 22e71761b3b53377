from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.errors import UsageError
from trtfarm.versions import TensorRTVersion

parts = st.integers(0, 99)
#: Versions that a table's header can tell apart: before 10, the minor number has one digit there.
in_headers = st.one_of(
    st.builds(TensorRTVersion, st.integers(1, 9), st.integers(0, 9), parts),
    st.builds(TensorRTVersion, st.integers(10, 99), parts, parts),
)
versions = st.builds(
    lambda major, rest: TensorRTVersion(major, *rest), st.integers(1, 99), st.lists(parts, min_size=1, max_size=3)
)


@pytest.mark.parametrize(
    ("text", "digits"),
    [("8.5.3", 8503), ("8.6.1", 8601), ("8.4.0", 8400), ("9.3.0", 9300), ("10.3.0", 100300), ("10.13.0", 101300)],
)
def test_header_digits_are_nvidias(text: str, digits: int) -> None:
    version = TensorRTVersion.parse(text)
    assert version.header_digits == digits
    assert TensorRTVersion.from_header_digits(digits) == version


@given(in_headers)
def test_header_digits_tell_versions_apart(version: TensorRTVersion) -> None:
    assert TensorRTVersion.from_header_digits(version.header_digits) == version


def test_a_header_knows_no_build_number() -> None:
    assert TensorRTVersion.parse("8.5.3.1").header_digits == 8503
    assert str(TensorRTVersion.from_header_digits(8503)) == "8.5.3"


@given(versions)
def test_what_is_written_is_read(version: TensorRTVersion) -> None:
    assert TensorRTVersion.parse(str(version)) == version


@pytest.mark.parametrize(
    "text", ["", "8", "8.", "8.5.3.1.2", "v8.5", "8.5-rc1", " 8.5", "8.5\n", "8.12345", "\N{FULLWIDTH DIGIT EIGHT}.5"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a TensorRT version") as caught:
        TensorRTVersion.parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("have", "wanted", "fits"),
    [
        ("10.13.3.9", "10.13.3.9", True),
        ("10.13.3.9", "10.13", True),
        ("10.13.3.9", "10.1", False),
        ("10.13.3.9", "10.13.3.1", False),
        ("10.13", "10.13.3.9", False),
    ],
)
def test_a_short_version_asks_for_a_line_of_releases(have: str, wanted: str, *, fits: bool) -> None:
    assert TensorRTVersion.parse(have).matches(TensorRTVersion.parse(wanted)) is fits


@pytest.mark.parametrize(("wanted", "fits"), [("10", True), ("1", False), ("10.13", True), ("100", False)])
def test_a_major_number_alone_may_be_asked_for(wanted: str, *, fits: bool) -> None:
    asked = TensorRTVersion.wanted(wanted)
    assert TensorRTVersion.parse("10.13.3.9").matches(asked) is fits
    assert str(asked) == wanted


@pytest.mark.parametrize("text", ["", "10.", "x", "1000", " 10", "10\n", "\N{FULLWIDTH DIGIT EIGHT}"])
def test_what_is_no_version_is_not_asked_for(text: str) -> None:
    with pytest.raises(UsageError, match="not a TensorRT version"):
        TensorRTVersion.wanted(text)


def test_versions_are_ordered_by_number_and_shorter_ones_come_first() -> None:
    ordered = ["8.5", "8.5.3", "8.5.3.1", "8.6.1", "8.10", "10.1", "10.13.3.9"]
    assert [str(version) for version in sorted(map(TensorRTVersion.parse, reversed(ordered)))] == ordered
    assert max(TensorRTVersion.parse("9.9"), TensorRTVersion.parse("10.0")).major == 10
