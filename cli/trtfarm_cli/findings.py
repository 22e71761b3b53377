"""What a submission found out by itself: the nodes that a search left in floating point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trtfarm.submissions.submission import Submission

_SHOWN = 5


def search_facts(session: Session, submission: Submission) -> Mapping[str, Any] | None:
    """What the search found; None where there was none, or where it is not done."""
    from trtfarm.actions import ActionKind
    from trtfarm.database.schema import QuantizationRow
    from trtfarm.submissions.resolve import row

    for step in submission.steps:
        if step.kind == ActionKind.SEARCH and step.result:
            found: Mapping[str, Any] = row(session, QuantizationRow, step.result["quantization_id"]).facts["search"]
            return found
    return None


def search_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """How many nodes stay in floating point, which, and what that brings."""
    names = [item["node"] for item in facts["found"]]
    if not names:
        yield f"no node has to stay in float: {facts['before']['loss']:.3%} is lost on {facts['samples']} samples"
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    yield f"{len(names)} node{'s' if len(names) > 1 else ''} in float, {', '.join(names[:_SHOWN])}{more}"
    yield (
        f"{facts['before']['loss']:.3%} was lost without, {facts['after']['loss']:.3%} is, "
        f"on {facts['samples']} samples of the calibration data"
    )
