"""What became of a submission: the table, the engines, the accuracy, and where things are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm_cli import output

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.submissions.submission import Submission


def facts_of(farm: Farm, submission: Submission, *, seconds: float) -> dict[str, Any]:
    """Everything the summary tells, as data for `--json`."""
    from trtfarm.catalog.search import engine_entry, table_entry
    from trtfarm.database.schema import EngineRow, ModelRow, TableRow, VerificationRow
    from trtfarm.submissions.resolve import row

    table_ids = submission.result_ids("table_id") or [submission.request.table_id or ""]
    with farm.database.read() as session:
        model = row(session, ModelRow, submission.request.model_id)
        table = session.get(TableRow, table_ids[0])
        engines = [row(session, EngineRow, engine_id) for engine_id in submission.result_ids("engine_id")]
        checks = [row(session, VerificationRow, name) for name in submission.result_ids("verification_id")]
        return {
            "submission": submission.id,
            "state": submission.state.value,
            "hit": submission.hit,
            "seconds": round(seconds, 3),
            "model": {"id": model.id, "name": model.name, "digest": model.digest},
            "table": table_entry(table, model).as_dict() if table else None,
            "engines": [engine_entry(session, engine).as_dict() | _layers(engine.facts) for engine in engines],
            "verification": dict(checks[0].metrics) if checks else None,
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


def show(facts: Mapping[str, Any]) -> None:
    """The facts for a person, on stdout."""
    how = "hit: everything was there already" if facts["hit"] else facts["state"]
    typer.echo(f"{facts['submission']}  {facts['model']['name']}  {how}  ({facts['seconds']:.2f} s)")
    if table := facts["table"]:
        portable = "portable" if table["portable"] else "tied to its device"
        typer.echo(
            f"table     {table['id']}  {table['calibrator']}, {table['tensors']} tensors, "
            f"TensorRT {table['tensorrt']}, {table['origin']}, {portable}"
        )
    for engine in facts["engines"]:
        typer.echo(
            f"engine    {engine['id']}  {engine['precision']} {engine['compute_capability']}  {engine['toolchain']}  "
            f"{output.size(engine['size'])}, {engine['int8_layers']} of {engine['layer_count']} layers in INT8"
        )
    if checks := facts["verification"]:
        _show_accuracy(checks)
    typer.echo(f"kept in   {facts['home']}")


def raise_failure(submission: Submission) -> None:
    """Raises the error of the first step that failed, so that it decides the exit code; nothing for a success."""
    from trtfarm.errors import JobFailedError, error_from_dict

    if submission.state in {SubmissionState.DONE, SubmissionState.ACTIVE}:
        return
    skipped = [step.name for step in submission.steps if step.state is StepState.SKIPPED]
    for step in submission.steps:
        if step.error:
            error = error_from_dict(dict(step.error))
            error.message = f"{step.name}: {error.message}"
            if skipped:
                error.message += f" (not done because of it: {', '.join(skipped)})"
            raise error
    raise JobFailedError(f"{submission.id} is {submission.state}", remedy="submit again, or trtfarm jobs retry")


def _show_accuracy(checks: Mapping[str, Any]) -> None:
    how = "simulated on the CPU" if checks["simulated"] else "on the engine"
    classes = checks["classification"]
    if classes:
        reference, candidate = classes["reference"], classes["candidate"]
        typer.echo(
            f"accuracy  FP32 Top1: {reference['top1']:.4f}, Top5: {reference['top5']:.4f}  "
            f"INT8 Top1: {candidate['top1']:.4f}, Top5: {candidate['top5']:.4f}  ({checks['samples']} samples, {how})"
        )
        return
    for name, output_facts in checks["outputs"].items():
        if "cosine_mean" in output_facts:
            typer.echo(
                f"accuracy  {name}: cosine {output_facts['cosine_mean']:.5f} (worst {output_facts['cosine_min']:.5f}), "
                f"SNR {output_facts['snr_db']:.1f} dB, largest error {output_facts['max_abs_error']:.4g}  "
                f"({checks['samples']} samples, {how})"
            )


def _layers(facts: Mapping[str, Any]) -> dict[str, int]:
    return {"int8_layers": facts["int8_layers"], "layer_count": len(facts["layers"])}
