"""`trtfarm explain`: why something was done again, or would be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_farm

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    @app.command(context_settings=_PASS_ON)
    def explain(
        context: typer.Context,
        subject: Annotated[
            str, typer.Argument(metavar="JOB|MODEL", help="A job's id; or a model, then submit's options.")
        ],
    ) -> None:
        """Which key fields differ between what was asked and the nearest stored result.

        With a job's id: why it ran instead of being a hit. With a model and the options of `submit`: what each step
        would be, as `submit --dry-run` says.
        """
        if subject.startswith("job_") and not Path(subject).exists():
            _explain_job(subject, json="--json" in context.args)
        else:
            app(["submit", subject, *context.args, "--dry-run"], standalone_mode=False)


def _explain_job(name: str, *, json: bool) -> None:
    from trtfarm.actions import Action, ActionKind
    from trtfarm.submissions.explain import nearest

    with open_farm() as farm:
        job = farm.job(name)
        action = Action(ActionKind(job.kind), job.request["fields"])
        with farm.database.read() as session:
            found = nearest(session, action, before=job)
    if json:
        output.emit_json({"job": job.id, "key": job.key, "fields": action.fields, "nearest": found and vars(found)})
        return
    typer.echo(f"{job.id} ({job.kind}, {job.state}), key {output.short_digest(job.key)}")
    if found is None:
        typer.echo(f"it was the first {job.kind} of this farm")
    elif not found.differs:
        typer.echo(f"equal to {found.job_id}, whose result was gone or not to be used again")
    else:
        typer.echo(f"nearest: {found.job_id}")
        print_differences(found.differs)


def print_differences(differs: Mapping[str, tuple[Any, Any]], indent: str = "") -> None:
    for field, (asked, stored) in differs.items():
        typer.echo(f"{indent}  {field}: {_shown(asked)} was asked for, {_shown(stored)} is stored")


def _shown(value: Any) -> str:
    text = str(value)
    return output.short_digest(text) if text.startswith("sha256:") else text
