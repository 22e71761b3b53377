"""`trtfarm submissions …`: what was asked for, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from trtfarm.jobs.state import SubmissionState
from trtfarm_cli import output
from trtfarm_cli.limits import limited
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json, Limit, LostAtMost, MinCosine, MinTop1, Model, NewerThan, OlderThan, filled

SubmissionId = Annotated[str, typer.Argument(metavar="SUBMISSION", help="Id of the submission, or its start.")]

app = typer.Typer(help="Submissions: what was asked for, and taking it back.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    state: Annotated[SubmissionState | None, typer.Option(help="Only submissions in this state.")] = None,
    project: Annotated[
        str | None, typer.Option(metavar="PROJECT", callback=filled, help="Only those of this project.")
    ] = None,
    model: Model = None,
    newer_than: NewerThan = None,
    older_than: OlderThan = None,
    min_top1: MinTop1 = None,
    min_cosine: MinCosine = None,
    max_drop: LostAtMost = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Lists submissions, newest first.

    Accuracy is that of anything that they made.
    """
    within = limited(
        newer_than=newer_than, older_than=older_than, min_top1=min_top1, min_cosine=min_cosine, max_drop=max_drop
    )
    with open_any() as farm:
        found = farm.submissions.find({"state": state, "project": project, "model": model}, limit=limit, within=within)
    if json:
        output.emit_json(found)
        return
    shown = [{**facts, "targets": ", ".join(facts["targets"])} for facts in found]
    columns = dict.fromkeys(("id", "project", "model", "precision", "targets", "state"))
    output.emit_table(shown, columns | {"created": output.moment}, limit=limit)


@app.command()
def show(submission: SubmissionId, *, json: Json = False) -> None:
    """Shows one submission: engines by target, and the job of each step."""
    with open_any() as farm:
        found = farm.submissions.details(submission)
    if json:
        output.emit_json(found)
        return
    model, seconds = found["model"], found["seconds"]
    shown = {name: found[name] for name in ("id", "project", "created_by", "state", "hit", "precision", "table")}
    shown |= {"model": f"{model['name']} ({model['id']})" if model else None}
    shown |= {name: datetime.fromisoformat(found[name]) if found[name] else None for name in ("created", "finished")}
    output.emit_fields(shown | {"seconds": None if seconds is None else f"{seconds:.1f}"})
    for text in found["warnings"]:
        output.emit(f"warning: {text}")
    output.emit()
    columns = dict.fromkeys(("target", "state", "engine", "size", "error"))
    output.emit_table([_target(target) for target in found["targets"]], columns)
    output.emit()
    columns = dict.fromkeys(("step", "state", "job", "attempt"))
    steps = [{**step, "step": step["name"]} for step in found["steps"]]
    output.emit_table(steps, {**columns, "started": _moment, "seconds": "{:.1f}".format})


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    """A target as a line: the engine that it has, or why it has none."""
    engine, error, because = target["engine"], target["error"], target["because"]
    gone = f"{target['engine_id']} (removed)" if target["engine_id"] else None
    return {
        "target": f"{target['compute_capability']} {target['toolchain']}-{target['tensorrt']}",
        "state": target["state"],
        "engine": engine["id"] if engine else gone,
        "size": output.size(engine["size"]) if engine else None,
        "error": error["message"].partition("\n")[0] if error else f"see {', '.join(because)}" if because else None,
    }


def _moment(time: str) -> str:
    return output.moment(datetime.fromisoformat(time))


@app.command()
def cancel(submission: SubmissionId, *, json: Json = False) -> None:
    """Ends a submission with its jobs.

    What is queued for it is withdrawn, what runs is asked to stop.

    Jobs that another submission waits for go on. What is done stays, and is found by the next one.
    """
    with open_any() as farm:
        gone = farm.submissions.cancel(submission)
    if json:
        output.emit_json(gone)
    else:
        output.emit(f"{gone['submission']} is {gone['state']}{_words(gone)}")


def _words(gone: Mapping[str, Any]) -> str:
    words = {"withdrawn": "withdrawn", "stopping": "asked to stop", "left": "left to other submissions"}
    told = [f"{output.counted(len(gone[name]), 'job')} {what}" for name, what in words.items() if gone[name]]
    return f": {', '.join(told)}" if told else ""
