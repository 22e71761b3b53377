"""`trtfarm projects …`: how the workers are shared out between projects."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

app = typer.Typer(help="Projects: how the workers are shared out between them.", no_args_is_help=True)


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists the projects with their shares, and the jobs that they have."""
    with open_any() as farm:
        found = farm.projects()
    if json:
        output.emit_json(found)
    else:
        _print(found)


@app.command("set")
def set_(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    *,
    weight: Annotated[int, typer.Option(metavar="N", help="Jobs that it runs for each one of another project.")] = 1,
    max_running: Annotated[
        int | None, typer.Option(metavar="N", help="Jobs that workers do for it at once; any number without it.")
    ] = None,
    json: Json = False,
) -> None:
    """Says how a project shares in the workers from now on.

    What is left out is as if never said.
    """
    from trtfarm.jobs.sharing import Share

    with open_any() as farm:
        found = farm.administration.set_share(project, Share(weight=weight, max_running=max_running))
    if json:
        output.emit_json(found)
    else:
        _print([found])


def _print(projects: list[dict[str, Any]]) -> None:
    columns = {"name": None, "weight": None, "max_running": None, "queued": None, "running": None}
    output.emit_table(projects, columns)
