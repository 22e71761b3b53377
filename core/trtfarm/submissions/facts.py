"""What became of a submission, as plain data: the table, the engines, the accuracy, what was compared and searched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.accuracy import drop
from trtfarm.actions import ActionKind
from trtfarm.candidates import trial_of
from trtfarm.catalog.search import engine_entry, table_entry, warnings_of
from trtfarm.database.named_rows import row
from trtfarm.database.schema import EngineRow, ModelRow, QuantizationRow, TableRow, VerificationRow
from trtfarm.planning import plan, verified_precisions
from trtfarm.submissions.reuse import described, reuse_of
from trtfarm.submissions.submission import Submission

#: What of an engine's facts its build said of the table, and of itself.
_TOLD = ("coverage", "int8_share", "int8_time_share", "warning", "timing_cache_used", "build_seconds")


def facts_of(session: Session, submission: Submission, project: str | None = None) -> dict[str, Any]:
    """All of it, for `--json` and the wire."""
    model = row(session, ModelRow, submission.request.model_id)
    table = session.get(TableRow, submission.table_id or "")
    checks = _checks(session, submission)
    return {
        "submission": submission.id,
        "state": submission.state.value,
        "hit": submission.hit,
        "precision": submission.request.precision,
        "model": {"id": model.id, "name": model.name, "digest": model.digest},
        "table": table_entry(table, model).as_dict() if table else None,
        "calibrators": _comparison(session, submission),
        "search": _search(session, submission),
        "engines": _engines(session, submission, table, project),
        "verification": checks[0] if checks else None,
        "verifications": checks,
        "steps": [
            {
                "name": step.name,
                "state": step.state.value,
                "job": step.job_id,
                "result": step.result,
                "error": step.error,
            }
            for step in submission.steps
        ],
    }


def _search(session: Session, submission: Submission) -> Mapping[str, Any] | None:
    """What the search found; None where there was none, or where it is not done."""
    for step in submission.steps:
        if step.kind == ActionKind.SEARCH and step.result:
            found: Mapping[str, Any] = row(session, QuantizationRow, step.result["quantization_id"]).facts["search"]
            return found
    return None


def _comparison(session: Session, submission: Submission) -> list[dict[str, Any]]:
    """What was measured with each calibrator that was compared, as far as that is done, in the order of the plan."""
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
                "warnings": warnings_of(row(session, TableRow, table_id)),
                "chosen": table_id == chosen,
                "drop": None if math.isnan(lost) else lost,
                "metrics": metrics,
            }
        )
    return found


def _checks(session: Session, submission: Submission) -> list[dict[str, Any]]:
    """What was measured, each with the engine and the target that it was of."""
    verified = verified_precisions(submission.request)
    targets = {step.name: step.target for step in plan(submission.request)}
    results = {step.name: step.result or {} for step in submission.steps}
    return [
        {
            "precision": verified[step.name],
            "engine": results.get(f"build {targets[step.name]}", {}).get("engine_id"),
            "compute_capability": target.compute_capability if (target := targets[step.name]) else None,
            "against": "Q/DQ" if submission.request.prequantized else "FP32",
            **row(session, VerificationRow, step.result["verification_id"]).metrics,
        }
        for step in submission.steps
        if step.name in verified and step.result
    ]


def _engines(
    session: Session, submission: Submission, table: TableRow | None, project: str | None
) -> list[dict[str, Any]]:
    reuses = _reuses(submission, table) if table else {}
    engines = [row(session, EngineRow, engine_id) for engine_id in submission.result_ids("engine_id")]
    return [
        engine_entry(session, engine, project).as_dict()
        | _inside(engine.facts)
        | {"table_reuse": reuses.get(engine.id)}
        for engine in engines
    ]


def _reuses(submission: Submission, table: TableRow) -> dict[str, str]:
    """Engine -> how the submission's table is used for it; an engine that was found may be from an equal table."""
    request = submission.request
    targets = {step.name: step.target for step in plan(request)}
    return {
        str(step.result["engine_id"]): described(reuse_of(table, target, restamp=request.restamp), table)
        for step in submission.steps
        if step.result and "engine_id" in step.result and (target := targets[step.name]) and request.implicit(target)
    }


def _inside(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How much of an engine is INT8, and what its build said of the table."""
    return {
        "int8_layers": facts["int8_layers"],
        "layer_count": len(facts["layers"]),
        **{name: facts.get(name) for name in _TOLD},
    }
