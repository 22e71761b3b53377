"""Options that several commands share."""

from __future__ import annotations

from typing import get_args

import pytest
import typer

from trtfarm.errors import UsageError
from trtfarm.precisions import PRECISIONS
from trtfarm_cli.main import app
from trtfarm_cli.options import PrecisionName, percentage


def test_every_precision_can_be_asked_for() -> None:
    assert get_args(PrecisionName) == tuple(PRECISIONS)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.01", 0.01), ("0", 0), ("100%", 1), ("1", 1)])
def test_shares_are_written_in_two_ways(text: str, share: float) -> None:
    assert percentage(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "1 percent", "-1%", "101%", "1.5", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        percentage(text)
    assert "1% or 0.01" in str(caught.value.remedy)


@pytest.mark.parametrize(
    "words",
    [
        *(("engines", "list", option) for option in ("--model", "--label", "--gpu", "--digest")),
        *(("tables", "list", option) for option in ("--model", "--digest")),
        *(("submissions", "list", option) for option in ("--model", "--project")),
        *(("audit", option) for option in ("--who", "--what", "--project")),
    ],
    ids=" ".join,
)
def test_to_look_for_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=f"{words[-1]} is empty"):
        typer.main.get_command(app).main([*words, ""], standalone_mode=False)
