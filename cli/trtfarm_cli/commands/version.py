"""`trtfarm version`, and `trtfarm --version`."""

from __future__ import annotations

import platform

import typer

import trtfarm
from trtfarm_cli import output
from trtfarm_cli.options import Json


def register(app: typer.Typer) -> None:
    app.command()(version)


def version(*, json: Json = False) -> None:
    """Tells the versions of trtfarm and of the Python that runs it."""
    if json:
        output.emit_json({"trtfarm": trtfarm.__version__, "python": platform.python_version()})
    else:
        output.emit(f"trtfarm {trtfarm.__version__} (Python {platform.python_version()})")


def show_and_exit(*, wanted: bool) -> None:
    """What `--version` does."""
    if wanted:
        version()
        raise typer.Exit
