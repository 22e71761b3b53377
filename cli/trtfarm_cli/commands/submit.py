"""`trtfarm submit`: the main job. Model and data in, verified engines out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.calibrators import Calibrator
from trtfarm.errors import UsageError
from trtfarm.file_errors import storage_errors
from trtfarm.routing import MOST_URGENT
from trtfarm_cli import output
from trtfarm_cli.files import folder_for
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import (
    AfterFusion,
    BatchSize,
    BuilderOption,
    BuilderOptionFile,
    CalibrateWithName,
    CalibratorOrAuto,
    Cutoff,
    Data,
    DynamicRanges,
    ExcludeNodes,
    ExcludeOps,
    Explicit,
    IdempotencyKey,
    Json,
    KeepNodes,
    KeepOps,
    Labels,
    MaxDrop,
    ModelFile,
    NoTimingCache,
    PrecisionName,
    Quantile,
    RequireGpuMemory,
    RequireLabels,
    Restamp,
    Search,
    Shards,
    Tensorrt,
    TestData,
    percentage,
)

if TYPE_CHECKING:
    from trtfarm_cli.farms.any_farm import AnyFarm
    from trtfarm_worker.order import Order


def register(app: typer.Typer) -> None:
    app.command()(submit)


def submit(
    model: ModelFile,
    *,
    calibrator: Annotated[
        CalibratorOrAuto | None,
        typer.Option(
            case_sensitive=False, help="Rule that chooses the ranges; auto tries several. minmax unless given."
        ),
    ] = None,
    data: Data = None,
    test_data: TestData = None,
    labels: Labels = None,
    table: Annotated[
        str | None, typer.Option(metavar="FILE|ID", help="Use this calibration table instead of calibrating.")
    ] = None,
    batch_size: BatchSize = None,
    quantile: Quantile = None,
    cutoff: Cutoff = None,
    calibrate_with: CalibrateWithName = None,
    shards: Shards = 1,
    after_fusion: AfterFusion = False,
    target: Annotated[
        list[str] | None, typer.Option(metavar="SM", help="Compute capability to build for; repeatable.")
    ] = None,
    tensorrt: Tensorrt = None,
    precision: Annotated[PrecisionName, typer.Option(help="Precision of the engines.")] = "int8",
    explicit: Explicit = False,
    restamp: Restamp = False,
    option: BuilderOption = None,
    builder_options: BuilderOptionFile = None,
    dynamic_ranges: DynamicRanges = None,
    no_timing_cache: NoTimingCache = False,
    shape: Annotated[
        list[str] | None, typer.Option(metavar="INPUT=MIN:OPT:MAX", help="Shapes to build for, such as x=1x3x32x32:…")
    ] = None,
    max_drop: MaxDrop = None,
    search: Search = False,
    exclude: ExcludeNodes = None,
    exclude_op: ExcludeOps = None,
    keep_fp32: KeepNodes = None,
    keep_fp32_op: KeepOps = None,
    priority: Annotated[
        int, typer.Option(min=-MOST_URGENT, max=MOST_URGENT, help="Jobs with a higher one go first; 0 unless given.")
    ] = 0,
    require_label: RequireLabels = None,
    require_gpu_memory: RequireGpuMemory = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do every step again, whatever is stored.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be a hit and what would run.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to the workers and return at once.")] = False,
    idempotency_key: IdempotencyKey = None,
    destination: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Write the engines there, with signatures.")
    ] = None,
    json: Json = False,
) -> None:
    """Calibrates, builds and verifies a model's INT8 engines.

    Calibrates once, builds for every target, and compares with FP32 on data that calibration did not see: engines for a
    GPU of this host by running them, others by simulating what they are made of. What was done before is found again.
    Without --data, <input>.npy is looked for in calib_data/<model>/, calib_data/ and beside
    the model. Ctrl-C gives unfinished work back; the same command goes on with it.
    """
    from trtfarm.build_options import options_of
    from trtfarm.compute_capability import ComputeCapability
    from trtfarm.requirements import MOST_REQUIRED, labels_of
    from trtfarm.versions import TensorRTVersion
    from trtfarm_cli.quantities import bytes_of
    from trtfarm_worker.order import Order
    from trtfarm_worker.sites import CalibrateWith

    if idempotency_key is not None:
        _check_key(idempotency_key, dry_run=dry_run)
    if destination is not None:
        _check_folder(destination, waits=not (dry_run or detach))
    order = Order(
        model=model,
        data=data or (),
        test_data=test_data or (),
        labels=labels,
        table=table,
        calibrator=Calibrator(calibrator) if calibrator not in (None, "auto") else None,
        compare=calibrator == "auto",
        batch_size=batch_size,
        quantile=quantile,
        cutoff=cutoff,
        precision=precision,
        targets=[ComputeCapability.parse(text) for text in target or ()],
        tensorrt=TensorRTVersion.wanted(tensorrt) if tensorrt else None,
        shapes=shape or (),
        max_drop=percentage(max_drop) if max_drop else None,
        exclude_nodes=exclude or (),
        exclude_op_types=exclude_op or (),
        float32_nodes=keep_fp32 or (),
        float32_op_types=keep_fp32_op or (),
        calibrate_with=CalibrateWith(calibrate_with) if calibrate_with else None,
        after_fusion=after_fusion,
        explicit=explicit,
        search=search,
        restamp=restamp,
        timing_cache=not no_timing_cache,
        priority=priority,
        shards=shards,
        require_labels=labels_of(require_label or (), most=MOST_REQUIRED),
        require_gpu_memory=bytes_of(require_gpu_memory) if require_gpu_memory else None,
        build_options=options_of(option or (), builder_options, dynamic_ranges),
    )
    with open_any() as farm:
        if dry_run:
            _explain(farm, order, json=json)
        else:
            facts = _submit(farm, order, fresh=fresh, detach=detach, key=idempotency_key, quiet=json)
            if destination is not None:
                _write_engines(farm, facts, destination, quiet=json)
            if json:
                output.emit_json(facts)


def _check_key(key: str, *, dry_run: bool) -> None:
    from trtfarm.submissions.submission import check_key

    if dry_run:
        raise UsageError("--dry-run hands in nothing that could be there twice", remedy="leave --idempotency-key out")
    check_key(key)


def _check_folder(folder: Path, *, waits: bool) -> None:
    if not waits:
        raise UsageError("--output writes engines that are there", remedy="leave --dry-run and --detach out")
    folder_for(folder)


def _write_engines(farm: AnyFarm, facts: dict[str, Any], folder: Path, *, quiet: bool) -> None:
    """Writes a submission's engines to files, and where they are into its facts."""
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    for engine in facts["engines"]:
        engine["path"] = str(farm.engines.pull(engine["id"], folder, verify=True).path)
        if not quiet:
            output.emit(f"written   {engine['path']}")


def _submit(farm: AnyFarm, order: Order, *, fresh: bool, detach: bool, key: str | None, quiet: bool) -> dict[str, Any]:
    """Its facts, told where it is not `quiet`. Raises SubmissionFailedError."""
    from trtfarm_cli import summary
    from trtfarm_cli.failures import SubmissionFailedError

    begun = time.monotonic()
    facts = farm.submissions.submit(order, fresh=fresh, detach=detach, key=key)
    facts |= {"seconds": round(time.monotonic() - begun, 3), "kept_in": farm.kept_in}
    error = summary.failure(facts)
    if not quiet:
        write = output.say if error else output.emit
        for line in summary.lines(facts):
            write(line)
    if error:
        raise SubmissionFailedError(error, facts)
    return facts


def _explain(farm: AnyFarm, order: Order, *, json: bool) -> None:
    from trtfarm_cli.explanations import show_step

    explanations = farm.submissions.dry_run(order)
    if json:
        output.emit_json(explanations)
        return
    for explanation in explanations:
        show_step(explanation)
