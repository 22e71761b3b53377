"""docs/security.md names a test for each rule, and the tests are there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
RULES = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| rule |")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.split("|")[1].strip()[:60])
def test_a_rule_has_tests(rule: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", rule)
    assert named
    for path, name in named:
        assert re.search(rf"^ *def {name}\(", (REPOSITORY / path).read_text(), re.MULTILINE), f"{path} has no {name}"


def test_every_target_is_named() -> None:
    targets = {path.name for path in (REPOSITORY / "tests" / "fuzz").glob("test_*.py")} - {"test_requests.py"}
    assert targets == set(re.findall(r"`tests/fuzz/(test_\w+\.py)::", PAGE))
