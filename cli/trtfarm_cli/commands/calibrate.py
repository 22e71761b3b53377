"""`trtfarm calibrate`: model and data -> a calibration table in a file, without the farm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtfarm.calibrators import Calibrator
from trtfarm_cli import output
from trtfarm_cli.files import writable
from trtfarm_cli.options import BatchSize, Cutoff, Data, Json, ModelFile, Quantile
from trtfarm_cli.progress import listener, view
from trtfarm_cli.written_table import write_table


def register(app: typer.Typer) -> None:
    app.command()(calibrate)


def calibrate(
    model: ModelFile,
    *,
    destination: Annotated[Path, typer.Option("--output", "-o", help="Table to write.", show_default=False)],
    calibrator: Annotated[
        Calibrator, typer.Option(case_sensitive=False, help="Rule that chooses the ranges.")
    ] = Calibrator.MINMAX,
    data: Data = None,
    batch_size: BatchSize = None,
    quantile: Quantile = None,
    cutoff: Cutoff = None,
    before_fusion: Annotated[
        bool, typer.Option("--before-fusion/--after-fusion", help="Where to calibrate; after needs a GPU's TensorRT.")
    ] = True,
    tensorrt: Annotated[
        str, typer.Option(metavar="VERSION", help="TensorRT version for the table's header.")
    ] = "8.5.3",
    json: Json = False,
) -> None:
    """Writes a model's calibration table to a file.

    The table that TensorRT's calibrator would write, computed on the CPU with ONNX Runtime, without the farm. Data is
    found as for submit.
    """
    from trtfarm.calibrators import AFTER_FUSION_BY_DEFAULT, CalibrationRule
    from trtfarm.datasets.locate import locate
    from trtfarm.errors import UsageError
    from trtfarm.models.model import Model
    from trtfarm.scratch import temporary_folder
    from trtfarm.settings import Settings
    from trtfarm.tables.headers import header_for
    from trtfarm.tables.table import CalibrationTable
    from trtfarm.versions import TensorRTVersion
    from trtfarm_worker.data_reader import DataReader
    from trtfarm_worker.direct import reference_step

    settings, version = Settings.from_environment(), TensorRTVersion.parse(tensorrt)
    # Bad options are told before the data are read.
    writable(destination, unlike=(model,))
    if not before_fusion and calibrator not in AFTER_FUSION_BY_DEFAULT:
        why = f"{calibrator} is always calibrated before fusion"
        raise UsageError("--after-fusion cannot be used here", cause=why, remedy="leave it out")
    header_for(CalibrationRule.of(calibrator, batch_size=batch_size or 1, quantile=quantile, cutoff=cutoff), version)
    read = Model.read(model)
    with temporary_folder() as folder, view() as shown:
        hear = listener(shown, "calibrate")
        reader = DataReader(settings, read, folder, tell=output.say, listener=hear)
        samples = reader.read(locate(data or (), read))
        rule = CalibrationRule.of(
            calibrator,
            batch_size=reader.batch_size(batch_size, samples),
            before_fusion=before_fusion,
            quantile=quantile,
            cutoff=cutoff,
        )
        copy = folder / "model"
        copy.mkdir()
        args = {"model": str(read.copy_to(copy)[0]), "inputs": samples.input_specs(), "rule": rule.as_dict()}
        with reference_step(settings, "calibrate", args, hear) as answer:
            result = answer.result
    table = CalibrationTable.of(result["scales"], rule, version)
    details = f", {result['batches']} batches of {rule.batch_size}, {result['engine']}"
    write_table(destination, table, result, json=json, details=details)
