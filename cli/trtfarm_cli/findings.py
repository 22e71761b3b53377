"""What a submission found out by itself: which calibrator does best, and the nodes that a search left out of INT8."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trtfarm_cli import accuracy

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


def comparison_facts(session: Session, submission: Submission) -> list[dict[str, Any]]:
    """What was measured with each calibrator that was compared, as far as that is done, in the order of the plan."""
    from trtfarm.accuracy import drop
    from trtfarm.candidates import trial_of
    from trtfarm.database.schema import VerificationRow
    from trtfarm.submissions.resolve import row

    results = {step.name: step.result for step in submission.steps if step.result}
    chosen = results.get("choose", {}).get("table_id")
    found = []
    for rule in submission.request.candidates:
        trial = trial_of(rule)
        if trial.verify not in results:
            continue
        metrics = row(session, VerificationRow, results[trial.verify]["verification_id"]).metrics
        lost, table_id = drop(metrics), results[trial.calibrate]["table_id"]
        found.append(
            {
                "calibrator": rule.calibrator.value,
                "table": table_id,
                "chosen": table_id == chosen,
                "drop": None if math.isnan(lost) else lost,
                "metrics": metrics,
            }
        )
    return found


def comparison_lines(facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each calibrator, the best first; of equal ones in the order that decided."""
    for compared in sorted(
        facts, key=lambda item: (not item["chosen"], math.inf if item["drop"] is None else item["drop"])
    ):
        mark = "  chosen" if compared["chosen"] else ""
        lost = "not measured" if compared["drop"] is None else f"loses {compared['drop']:.3%}"
        yield f"{compared['calibrator']:<10}  {lost}, {accuracy.brief(compared['metrics'])}  {compared['table']}{mark}"


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
