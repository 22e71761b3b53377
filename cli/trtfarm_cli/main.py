"""The program `trtfarm`: its commands, and the one place where an error becomes a message and an exit code.

Commands import what they need when they run: `trtfarm --help` must not pay for a database.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from copy import copy
from typing import Annotated

import typer
from typer.main import get_command_name
from typer.models import CommandInfo, TyperInfo

from trtfarm_cli import exits, output, stdout
from trtfarm_cli.commands import (
    audit,
    bench,
    bundle,
    calibrate,
    doctor,
    engines,
    explain,
    extract,
    jobs,
    keeping,
    keys,
    login,
    marks,
    migrate,
    profile,
    projects,
    quantize,
    run,
    services,
    submissions,
    submit,
    tables,
    tokens,
    toolchain,
    verify,
    version,
    workers,
)
from trtfarm_cli.failures import DELIBERATE, Failure, failure_of
from trtfarm_cli.interrupts import raise_first_interrupt

# Plain help instead of rich's: the colours would cost three times what the rest of the program does.
app = typer.Typer(
    name="trtfarm",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def trtfarm(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=version.show_and_exit, help="Show the version and exit."),
    ] = False,
) -> None:
    """Calibrate an ONNX model once, build INT8 engines for every GPU, keep and find them again."""


for command in (
    submit,
    calibrate,
    quantize,
    run,
    bench,
    verify,
    explain,
    doctor,
    version,
    login,
    services,
    migrate,
    keeping,
    audit,
):
    command.register(app)
extract.register(tables.app)
marks.register(engines.app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(engines.app, name="engines")
app.add_typer(bundle.app, name="bundle")
app.add_typer(keys.app, name="keys")
app.add_typer(profile.app, name="profile")
app.add_typer(projects.app, name="projects")
app.add_typer(submissions.app, name="submissions")
app.add_typer(tables.app, name="tables")
app.add_typer(tokens.app, name="tokens")
app.add_typer(toolchain.app, name="toolchain")
app.add_typer(workers.app, name="workers")


def main() -> None:
    """Runs a command and ends the process with its exit code."""
    raise_first_interrupt()
    stdout.replace()
    code = _run(sys.argv[1:])
    output.end()
    # Or else the interpreter looks for garbage before it ends, among all that was imported.
    gc.freeze()
    sys.exit(code)


def _app_for(words: Sequence[str]) -> typer.Typer:
    """The program with what these words ask for alone.

    Typer makes every command with all its options before it runs one: a fifth of a hit, and a third of the help.
    """
    if "_TRTFARM_COMPLETE" in os.environ:
        return app
    asked, chosen = words[0] if words else "", copy(app)
    chosen.registered_groups = [group if group.name == asked else _bare(group) for group in app.registered_groups]
    named = [command for command in app.registered_commands if _name(command) == asked]
    if named or asked in {group.name for group in app.registered_groups}:
        chosen.registered_commands = named
    return chosen


def _bare(group: TyperInfo) -> TyperInfo:
    """The same group, to be listed with its help."""
    bare = copy(group)
    bare.typer_instance = copy(group.typer_instance)
    if bare.typer_instance is not None:
        bare.typer_instance.registered_commands = []
    return bare


def _name(command: CommandInfo) -> str:
    return command.name or get_command_name(getattr(command.callback, "__name__", ""))


def _run(words: Sequence[str]) -> int:
    try:
        code = int(_app_for(words)(standalone_mode=False) or exits.OK)
        output.flush()
    except stdout.ReaderGoneError:
        return exits.OK
    except (*DELIBERATE, OSError, typer.Abort, KeyboardInterrupt) as error:
        return _fail(failure_of(error))
    # Typer keeps Ctrl-C to itself and hands on its code.
    return _fail(failure_of(KeyboardInterrupt())) if code == exits.INTERRUPTED else code


def _fail(failure: Failure) -> int:
    if "--json" in sys.argv:
        output.say_json(failure.as_dict())
    else:
        output.say(failure.text)
    return failure.exit_code
