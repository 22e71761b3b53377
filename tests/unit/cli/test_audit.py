"""What a line of the audit log says was changed."""

from __future__ import annotations

from typing import Any

import pytest

from trtfarm_cli.commands.audit import changed


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"worker": "wrk_1"}, "wrk_1"),
        ({"bundle": "sha256:0", "dry_run": True}, "sha256:0 dry_run"),
        ({"bundle": "sha256:0", "dry_run": False}, "sha256:0"),
        ({}, ""),
    ],
)
def test_what_was_asked_for_is_named_and_what_was_not_is_left_out(facts: dict[str, Any], words: str) -> None:
    assert changed(facts) == words
