"""`trtfarm calibrate`: model and data -> a calibration table in a file, without the farm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.calibrators import Calibrator
from trtfarm_cli import output
from trtfarm_cli.files import writable
from trtfarm_cli.options import BatchSize, Cutoff, Data, Json, ModelFile, Quantile, Shards
from trtfarm_cli.progress import View, listener, view
from trtfarm_cli.written_table import write_table

if TYPE_CHECKING:
    from trtfarm.calibrators import CalibrationRule
    from trtfarm.settings import Settings
    from trtfarm.shards import Share
    from trtfarm_worker.builder.events import LogLine, Progress


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
    shards: Shards = 1,
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
    found as for submit. With --shards, several builders share the data: worth it on many cores.
    """
    from trtfarm.calibrators import CalibrationRule
    from trtfarm.datasets.locate import locate
    from trtfarm.models.model import Model
    from trtfarm.scratch import temporary_folder
    from trtfarm.settings import Settings
    from trtfarm.shards import check_shards
    from trtfarm.tables.headers import header_for
    from trtfarm.tables.table import CalibrationTable
    from trtfarm.versions import TensorRTVersion
    from trtfarm_worker.data_reader import DataReader
    from trtfarm_worker.option_checks import check_fusion

    settings, version = Settings.from_environment(), TensorRTVersion.wanted(tensorrt)
    rule_of = partial(CalibrationRule.of, calibrator, before_fusion=before_fusion, quantile=quantile, cutoff=cutoff)
    # Bad options are told before the data are read.
    writable(destination, unlike=(model,))
    check_fusion(calibrator, after_fusion=not before_fusion)
    header_for(rule_of(batch_size=batch_size or 1), version)
    read = Model.read(model)
    source = locate(data or (), read)
    writable(destination, unlike=(*read.files, *source.paths))
    with temporary_folder() as folder, view() as shown:
        hear = listener(shown, "calibrate")
        reader = DataReader(settings, read, folder, tell=output.say, listener=hear)
        reader.tell_all(read.notices)
        samples = reader.read(source)
        rule = rule_of(batch_size=reader.batch_size(batch_size, samples))
        check_shards(shards, samples.samples, rule.batch_size)
        copy = folder / "model"
        copy.mkdir()
        args = {"model": str(read.copy_to(copy)[0]), "inputs": samples.input_specs()}
        result = _calibrated(settings, args, rule, shards=shards, samples=samples.samples, shown=shown)
    table = CalibrationTable.of(result["scales"], rule, version)
    batches = output.counted(result["batches"], "batch", "batches")
    details = f", {batches} of {rule.batch_size}, {result['engine']}"
    write_table(destination, table, result, json=json, details=details)


def _calibrated(
    settings: Settings, args: Mapping[str, Any], rule: CalibrationRule, *, shards: int, samples: int, shown: View
) -> Mapping[str, Any]:
    """What the builders answer, of one piece or of shares."""
    from trtfarm_cli.share_progress import ShareProgress
    from trtfarm_worker.builder.events import Progress
    from trtfarm_worker.direct import reference_step
    from trtfarm_worker.sharded import calibrate_in_shards

    hear, sum_of = listener(shown, "calibrate"), ShareProgress(shards)
    if shards == 1:
        with reference_step(settings, "calibrate", {**args, "rule": rule.as_dict()}, hear) as answer:
            return answer.result

    def hear_share(share: Share | None, event: Progress | LogLine) -> None:
        if share and isinstance(event, Progress):
            if share.of > 1:  # not the first look at all of the data
                hear(sum_of.add(share.step, event))
        else:
            hear(event)

    return calibrate_in_shards(settings, args, rule, shards=shards, samples=samples, hear=hear_share)
