"""What became of a submission: the table, the engines, the accuracy, and where things are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm_cli import accuracy, findings, output

_SHOWN = 5

if TYPE_CHECKING:
    from trtfarm.errors import TrtfarmError


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts for a person."""
    how = "hit: everything was there already" if facts["hit"] else facts["state"]
    yield f"{facts['submission']}  {facts['model']['name']}  {how}  ({facts['seconds']:.2f} s)"
    if table := facts["table"]:
        portable = "portable" if table["portable"] else "tied to its device"
        made_for = f"TensorRT {table['tensorrt']}, " if table["tensorrt"] else ""
        yield (
            f"table     {table['id']}  {table['calibrator']}, {output.counted(table['tensors'], 'tensor')}, "
            f"{made_for}{table['origin']}, {portable}"
        )
        yield from (f"          warning: {text}" for text in table["warnings"])
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
    yield f"kept in   {facts['kept_in']}"


def failure(facts: Mapping[str, Any]) -> TrtfarmError | None:
    """What a submission failed of: the error of its first failed step, so that it decides the exit code."""
    from trtfarm.errors import JobFailedError, error_from_dict

    if facts["state"] in {SubmissionState.DONE, SubmissionState.ACTIVE}:
        return None
    steps: list[dict[str, Any]] = facts["steps"]
    failed = [step for step in steps if step["error"]]
    if not failed:
        return JobFailedError(
            f"{facts['submission']} was {facts['state']}", remedy="submit again, which goes on where it was stopped"
        )
    error = error_from_dict(dict(failed[0]["error"]))
    error.message = f"{failed[0]['name']}: {error.message}"
    for other in failed[1:]:
        error.message += f"\n{other['name']}: {other['error']['message']}"
    if skipped := [step["name"] for step in steps if step["state"] == StepState.SKIPPED]:
        error.message += f"\nnot done because of it: {', '.join(skipped)}"
    return error


def _remarks(engine: Mapping[str, Any]) -> Iterator[str]:
    """What is worth knowing of an engine besides: how its table was used, what that lacked, and INT8 in vain."""
    coverage = engine["coverage"] or {}
    completed = coverage.get("completed", ())
    filled = [f"{output.counted(len(completed), 'range')} filled in"] if completed else []
    if engine["table_reuse"]:
        yield f"table used: {', '.join([engine['table_reuse'], *filled])}"
    if harmful := coverage.get("harmful"):
        shown = ", ".join(missing["tensor"] for missing in harmful[:_SHOWN])
        more = f" and {len(harmful) - _SHOWN} more" if len(harmful) > _SHOWN else ""
        yield f"no range, which may cost INT8: {shown}{more}"
    if engine["warning"]:
        yield f"warning: {engine['warning']} (--explicit)"
