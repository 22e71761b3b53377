from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.digests import canonical_json, digest_of_bytes, digest_of_file, digest_of_json, is_digest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert digest_of_file(path) == digest_of_bytes(b"") == EMPTY
    path.write_bytes(b"x" * 3_000_000)
    assert digest_of_file(path) == digest_of_bytes(memoryview(b"x" * 3_000_000)) != EMPTY


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_names_does_not_count(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert digest_of_json(backwards) == digest_of_json(value)


def test_canonical_json_is_as_short_as_can_be() -> None:
    assert canonical_json({"b": [1, None], "ä": "ü", "a": True}) == '{"a":true,"b":[1,null],"ä":"ü"}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_numbers_that_json_lacks_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of_json(value)


@pytest.mark.parametrize(
    "text", ["", "sha256:", EMPTY[7:], EMPTY.upper(), EMPTY[:-1], f"{EMPTY}0", f"sha256:{EMPTY}", f"{EMPTY[:-1]}g"]
)
def test_what_is_no_digest_is_told(text: str) -> None:
    assert is_digest(EMPTY)
    assert not is_digest(text)
