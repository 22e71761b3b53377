"""What became of a submission: the table, the engines, the accuracy, and where things are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm_cli import accuracy, findings, output

_SHOWN = 5

if TYPE_CHECKING:
    from trtfarm.database.schema import TableRow
    from trtfarm.errors import TrtfarmError
    from trtfarm.farm import Farm
    from trtfarm.submissions.submission import Submission


def facts_of(farm: Farm, submission: Submission, *, seconds: float) -> dict[str, Any]:
    """Everything the summary tells, as data for `--json`."""
    from trtfarm.catalog.search import engine_entry, table_entry
    from trtfarm.database.schema import EngineRow, ModelRow, TableRow, VerificationRow
    from trtfarm.planning import plan, verified_precisions
    from trtfarm.submissions.resolve import row

    with farm.database.read() as session:
        model = row(session, ModelRow, submission.request.model_id)
        table = session.get(TableRow, submission.table_id or "")
        engines = [row(session, EngineRow, engine_id) for engine_id in submission.result_ids("engine_id")]
        verified = verified_precisions(submission.request)
        targets = {step.name: step.target for step in plan(submission.request)}
        results = {step.name: step.result or {} for step in submission.steps}
        checks = [
            {
                "precision": verified[step.name],
                "engine": results.get(f"build {targets[step.name]}", {}).get("engine_id"),
                "compute_capability": target.compute_capability if (target := targets[step.name]) else None,
                **row(session, VerificationRow, step.result["verification_id"]).metrics,
            }
            for step in submission.steps
            if step.name in verified and step.result
        ]
        reuses = _reuses(submission, table) if table else {}
        return {
            "submission": submission.id,
            "state": submission.state.value,
            "hit": submission.hit,
            "seconds": round(seconds, 3),
            "precision": submission.request.precision,
            "model": {"id": model.id, "name": model.name, "digest": model.digest},
            "table": table_entry(table, model).as_dict() if table else None,
            "calibrators": findings.comparison_facts(session, submission),
            "search": findings.search_facts(session, submission),
            "engines": [
                engine_entry(session, engine).as_dict() | _inside(engine.facts) | {"table_reuse": reuses.get(engine.id)}
                for engine in engines
            ],
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
            "home": str(farm.settings.home),
        }


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts for a person."""
    how = "hit: everything was there already" if facts["hit"] else facts["state"]
    yield f"{facts['submission']}  {facts['model']['name']}  {how}  ({facts['seconds']:.2f} s)"
    if table := facts["table"]:
        portable = "portable" if table["portable"] else "tied to its device"
        made_for = f"TensorRT {table['tensorrt']}, " if table["tensorrt"] else ""
        yield (
            f"table     {table['id']}  {table['calibrator']}, {table['tensors']} tensors, "
            f"{made_for}{table['origin']}, {portable}"
        )
    yield from (f"compared  {line}" for line in findings.comparison_lines(facts["calibrators"]))
    if search := facts["search"]:
        yield from (f"search    {line}" for line in findings.search_lines(search))
    for engine in facts["engines"]:
        yield (
            f"engine    {engine['id']}  {engine['precision']} {engine['compute_capability']}  {engine['toolchain']}  "
            f"{output.size(engine['size'])}, {engine['int8_layers']} of {engine['layer_count']} layers in INT8"
        )
        yield from (f"          {line}" for line in _remarks(engine))
    for check in facts["verifications"]:
        place = f"{check['compute_capability']} " if check["compute_capability"] else ""
        yield from (f"accuracy  {place}{line}" for line in accuracy.lines(check, check["precision"]))
    yield f"kept in   {facts['home']}"


def failure(submission: Submission) -> TrtfarmError | None:
    """What a submission failed of: the error of its first failed step, so that it decides the exit code."""
    from trtfarm.errors import JobFailedError, error_from_dict

    if submission.state in {SubmissionState.DONE, SubmissionState.ACTIVE}:
        return None
    failed = [step for step in submission.steps if step.error]
    if not failed:
        return JobFailedError(
            f"{submission.id} was {submission.state}", remedy="submit again, which goes on where it was stopped"
        )
    error = error_from_dict(dict(failed[0].error or {}))
    error.message = f"{failed[0].name}: {error.message}"
    for other in failed[1:]:
        error.message += f"\n{other.name}: {(other.error or {})['message']}"
    if skipped := [step.name for step in submission.steps if step.state is StepState.SKIPPED]:
        error.message += f"\nnot done because of it: {', '.join(skipped)}"
    return error


def _reuses(submission: Submission, table: TableRow) -> dict[str, str]:
    """Engine -> how the submission's table is used for it; an engine that was found may be from an equal table."""
    from trtfarm.planning import plan
    from trtfarm.submissions.reuse import described, reuse_of

    request = submission.request
    targets = {step.name: step.target for step in plan(request)}
    return {
        str(step.result["engine_id"]): described(reuse_of(table, target, restamp=request.restamp), table)
        for step in submission.steps
        if step.result and "engine_id" in step.result and (target := targets[step.name]) and request.implicit(target)
    }


def _inside(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How much of an engine is INT8, and what its build said of the table."""
    told = ("coverage", "int8_share", "int8_time_share", "warning", "timing_cache_used", "build_seconds")
    return {
        "int8_layers": facts["int8_layers"],
        "layer_count": len(facts["layers"]),
        **{name: facts.get(name) for name in told},
    }


def _remarks(engine: Mapping[str, Any]) -> Iterator[str]:
    """What is worth knowing of an engine besides: how its table was used, what that lacked, and INT8 in vain."""
    coverage = engine["coverage"] or {}
    count = len(coverage.get("completed", ()))
    filled = [f"{count} range{'s' if count > 1 else ''} filled in"] if count else []
    if engine["table_reuse"]:
        yield f"table used: {', '.join([engine['table_reuse'], *filled])}"
    if harmful := coverage.get("harmful"):
        shown = ", ".join(missing["tensor"] for missing in harmful[:_SHOWN])
        more = f" and {len(harmful) - _SHOWN} more" if len(harmful) > _SHOWN else ""
        yield f"no range, which may cost INT8: {shown}{more}"
    if engine["warning"]:
        yield f"warning: {engine['warning']} (--explicit)"
