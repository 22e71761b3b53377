"""`trtfarm explain`: why something was done again, or would be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    @app.command(context_settings=_PASS_ON)
    def explain(
        context: typer.Context,
        subject: Annotated[
            str, typer.Argument(metavar="JOB|MODEL", help="A job's id; or a model, then submit's options.")
        ],
        *,
        json: Json = False,
    ) -> None:
        """Says why a job ran, or what a submission would run.

        With a job's id: which fields of its key differ from the nearest result that was stored, so that it was no hit.
        With a model and the options of `submit`: what each step would be, as `submit --dry-run` says.
        """
        if subject.startswith("job_") and not Path(subject).exists():
            if context.args:
                raise UsageError(f"a job takes no options: {' '.join(context.args)}", remedy="leave them out")
            _explain_job(subject, json=json)
            return
        options = [*context.args, *(["--json"] if json else [])]
        raise typer.Exit(app(["submit", subject, *options, "--dry-run"], standalone_mode=False) or exits.OK)


def _explain_job(name: str, *, json: bool) -> None:
    from trtfarm_cli.explanations import show_differences

    with open_any() as farm:
        told = farm.jobs.explain(name)
    found = told["nearest"]
    if json:
        output.emit_json(told)
        return
    output.emit(f"{told['job']} ({told['kind']}, {told['state']}), key {output.short_digest(told['key'])}")
    if told["waits"]:
        output.emit(f"waits: {told['waits']}")
    if found is None:
        output.emit(f"it was the first {told['kind']} of this farm")
    elif not found["differs"]:
        output.emit(f"equal to {found['job_id']}, whose result was gone or not to be used again")
    else:
        output.emit(f"nearest: {found['job_id']}")
        show_differences(found["differs"])
