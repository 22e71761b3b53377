"""`trtfarm submit`: the main job. Model and data in, verified engines out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm.calibrators import Calibrator
from trtfarm_cli import output
from trtfarm_cli.opening import open_farm
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
    Json,
    KeepNodes,
    KeepOps,
    Labels,
    MaxDrop,
    ModelFile,
    NoTimingCache,
    PrecisionName,
    Quantile,
    Restamp,
    Search,
    Tensorrt,
    TestData,
    percentage,
)
from trtfarm_cli.progress import listener, view

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.planning import SubmissionRequest
    from trtfarm.submissions.explain import Explanation
    from trtfarm.submissions.submission import Submission
    from trtfarm_worker.order import Order
    from trtfarm_worker.toolchains.toolchain import Toolchain


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
    fresh: Annotated[bool, typer.Option("--fresh", help="Do every step again, whatever is stored.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be a hit and what would run.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to the workers and return at once.")] = False,
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
    from trtfarm.versions import TensorRTVersion
    from trtfarm_worker.order import Order
    from trtfarm_worker.sites import CalibrateWith

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
        tensorrt=TensorRTVersion.parse(tensorrt) if tensorrt else None,
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
        build_options=options_of(option or (), builder_options, dynamic_ranges),
    )
    with open_farm() as farm:
        if dry_run:
            _explain(farm, order, json=json)
        else:
            _submit(farm, order, fresh=fresh, detach=detach, json=json)


def _submit(farm: Farm, order: Order, *, fresh: bool, detach: bool, json: bool) -> None:
    from trtfarm.submissions.facts import facts_of
    from trtfarm_cli import summary
    from trtfarm_cli.failures import SubmissionFailedError

    begun = time.monotonic()
    toolchains = _toolchains(farm)
    request = _request(farm, order, toolchains)
    submission_id, queued = farm.submit(request, fresh=fresh)
    submission = farm.submissions.get(submission_id)
    if submission.state == "active":
        from trtfarm_worker.inline import announce

        announce(farm, queued, wanted=detach)
        if detach:
            _say_detached(farm)
        else:
            submission = _see_through(farm, submission_id, toolchains)
    with farm.database.read() as session:
        told = {"seconds": round(time.monotonic() - begun, 3), "kept_in": str(farm.settings.home)}
        facts = facts_of(session, submission) | told
    error = summary.failure(facts)
    if not json:
        write = output.say if error else output.emit
        for line in summary.lines(facts):
            write(line)
    if error:
        raise SubmissionFailedError(error, facts)
    if json:
        output.emit_json(facts)


def _say_detached(farm: Farm) -> None:
    from trtfarm_cli.commands.jobs import NO_WORKER
    from trtfarm_worker.presence import workers_up

    output.say("left to the workers: trtfarm jobs list, or the same command without --detach, tells how it goes")
    if not workers_up(farm):
        output.say(NO_WORKER)


def _see_through(farm: Farm, submission_id: str, toolchains: list[Toolchain]) -> Submission:
    from trtfarm_cli.following import Following
    from trtfarm_worker.inline import see_through

    with view() as shown:
        following = Following(shown)
        try:
            return see_through(
                farm,
                submission_id,
                toolchains,
                watcher=following.watch,
                listener=following.hear,
                excuser=following.excuse,
            )
        except KeyboardInterrupt:
            output.say(f"{submission_id}: unfinished work is back in the queue; the same command goes on with it")
            raise


def _request(farm: Farm, order: Order, toolchains: list[Toolchain]) -> SubmissionRequest:
    from trtfarm_worker.orders import take
    from trtfarm_worker.stock import FarmStock

    with view() as shown:
        return take(FarmStock(farm), order, toolchains, tell=output.say, listener=listener(shown, "reading"))


def _toolchains(farm: Farm) -> list[Toolchain]:
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    return ToolchainRegistry(farm.settings.home).toolchains()


def _explain(farm: Farm, order: Order, *, json: bool) -> None:
    from trtfarm.submissions.explain import explain

    request = _request(farm, order, _toolchains(farm))
    with farm.database.read() as session:
        explanations = explain(session, request, farm.complete)
    if json:
        output.emit_json([explanation.as_dict() for explanation in explanations])
        return
    for explanation in explanations:
        _show_explanation(explanation)


def _show_explanation(explanation: Explanation) -> None:
    from trtfarm_cli.commands.explain import print_differences

    if explanation.hit:
        output.emit(f"{explanation.step}: hit, {', '.join(map(str, (explanation.result or {}).values()))}")
        if explanation.error:
            output.emit(f"  which does not pass the gate: {explanation.error['message']}")
    elif explanation.skipped:
        output.emit(f"{explanation.step}: left out, a step that it needs fails")
    elif explanation.key is None:
        output.emit(f"{explanation.step}: not known before the steps that it needs have run")
    elif explanation.nearest is None:
        output.emit(f"{explanation.step}: miss, nothing of the kind is stored")
    elif not explanation.nearest.differs:
        output.emit(f"{explanation.step}: miss, {explanation.nearest.job_id} did the same but its result is incomplete")
    else:
        output.emit(f"{explanation.step}: miss; the nearest is of {explanation.nearest.job_id}, where")
        print_differences(explanation.nearest.differs)
    if explanation.reuse:
        output.emit(f"  from the table: {explanation.reuse}")
