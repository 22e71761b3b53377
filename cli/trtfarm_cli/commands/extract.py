"""`trtfarm tables extract`: the ranges of a model's Q/DQ nodes -> a calibration table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.files import writable
from trtfarm_cli.options import Json
from trtfarm_cli.progress import listener, view
from trtfarm_cli.written_table import write_table


def register(app: typer.Typer) -> None:
    app.command()(extract)


def extract(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="ONNX model with Q/DQ nodes.", show_default=False, readable=False)
    ],
    *,
    destination: Annotated[Path, typer.Option("--output", "-o", help="Table to write.", show_default=False)],
    calibrator: Annotated[str, typer.Option(help="The calibrator that the table's header names.")] = "minmax",
    tensorrt: Annotated[str, typer.Option(metavar="VERSION", help="The TensorRT that it names.")] = "8.5.3",
    json: Json = False,
) -> None:
    """Writes the ranges of Q/DQ nodes as a table.

    TensorRT's ranges are symmetric: one with a zero point becomes the symmetric one that holds it.
    """
    from trtfarm.calibrators import CalibrationRule, Calibrator
    from trtfarm.models.model import Model
    from trtfarm.scratch import temporary_folder
    from trtfarm.settings import Settings
    from trtfarm.tables.table import CalibrationTable
    from trtfarm.versions import TensorRTVersion
    from trtfarm_worker.direct import reference_step

    writable(destination, unlike=(model,))
    rule, version = CalibrationRule.of(Calibrator.parse(calibrator), batch_size=1), TensorRTVersion.wanted(tensorrt)
    read = Model.read(model)
    writable(destination, unlike=read.files)
    with temporary_folder() as folder, view() as shown:
        args = {"model": str(read.copy_to(folder)[0])}
        with reference_step(Settings.from_environment(), "ranges", args, listener(shown, "extract")) as answer:
            result = answer.result
    table = CalibrationTable.of(result["scales"], rule, version)
    if not json:
        for widened in result["widened"]:
            output.say(f"{widened['tensor']}: {widened['note']}")
    write_table(destination, table, result, json=json)
