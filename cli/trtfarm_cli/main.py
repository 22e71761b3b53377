"""The program `trtfarm`: its commands, and the one place where an error becomes an exit code.

Commands import what they need when they run: `trtfarm --help` must not pay for a database.
"""

from __future__ import annotations

import gc
import os
import sys

import typer
from typer.exceptions import TyperException

from trtfarm.errors import TrtfarmError
from trtfarm_cli import exits, output
from trtfarm_cli.commands import (
    calibrate,
    doctor,
    engines,
    explain,
    jobs,
    quantize,
    services,
    submit,
    tables,
    toolchain,
    version,
)

# Plain help instead of rich's: the colours would cost three times what the rest of the program does.
app = typer.Typer(
    name="trtfarm",
    help="Calibrate an ONNX model once, build INT8 engines for every GPU, keep and find them again.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (submit, calibrate, quantize, explain, doctor, version):
    command.register(app)
services.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(engines.app, name="engines")
app.add_typer(tables.app, name="tables")
app.add_typer(toolchain.app, name="toolchain")


def main() -> None:
    """Runs a command and ends the process with its exit code."""
    # A command makes little garbage; looking for it takes a tenth of a hit. Processes that stay switch it on again.
    gc.disable()
    sys.exit(_run())


def _run() -> int:
    try:
        return int(app(standalone_mode=False) or exits.OK)
    except TrtfarmError as error:
        output.say(f"error: {error}")
        return exits.code_of(error)
    except TyperException as error:
        error.show()  # type: ignore[attr-defined]  # its base lacks what all have
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        output.say("interrupted")
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; a second error while Python flushes stdout would be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
