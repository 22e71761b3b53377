"""`trtfarm submit`: the main job. Model and data in, verified engines out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_farm
from trtfarm_cli.options import (
    BatchSize,
    Cutoff,
    Data,
    ExcludeNodes,
    ExcludeOps,
    Json,
    ModelFile,
    Quantile,
    Tensorrt,
    percentage,
)
from trtfarm_cli.progress import view

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.planning import SubmissionRequest
    from trtfarm.submissions.explain import Explanation
    from trtfarm.submissions.submission import Submission
    from trtfarm_worker.orders import Order
    from trtfarm_worker.toolchains.toolchain import Toolchain


def register(app: typer.Typer) -> None:
    app.command()(submit)


def submit(
    model: ModelFile,
    *,
    calibrator: Annotated[str, typer.Option(help="minmax, entropy2, entropy, legacy, percentile or mse.")] = "minmax",
    data: Data = None,
    test_data: Annotated[
        list[str] | None,
        typer.Option("--test-data", metavar="PATH", help="Data to verify with, in the form of --data."),
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Class of each test sample, for Top-1 and Top-5.")] = None,
    table: Annotated[
        str | None, typer.Option(metavar="FILE|ID", help="Use this calibration table instead of calibrating.")
    ] = None,
    batch_size: BatchSize = None,
    quantile: Quantile = None,
    cutoff: Cutoff = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="SM", help="Compute capability to build for; repeatable.")
    ] = None,
    tensorrt: Tensorrt = None,
    precision: Annotated[str, typer.Option(help="int8 or fp32.")] = "int8",
    shape: Annotated[
        list[str] | None, typer.Option(metavar="INPUT=MIN:OPT:MAX", help="Shapes to build for, such as x=1x3x32x32:…")
    ] = None,
    max_drop: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Build nothing that loses more than this, such as 1%.")
    ] = None,
    exclude: ExcludeNodes = None,
    exclude_op: ExcludeOps = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do every step again, whatever is stored.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be a hit and what would run.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to the workers and return at once.")] = False,
    json: Json = False,
) -> None:
    """Calibrates a model once, builds INT8 engines for every target, and verifies them against FP32.

    What was done before is found again. Without --data, <input>.npy is looked for in calib_data/<model>/, calib_data/
    and beside the model. Ctrl-C gives unfinished work back; the same command goes on with it.
    """
    from trtfarm.calibrators import Calibrator
    from trtfarm.compute_capability import ComputeCapability
    from trtfarm.versions import TensorRTVersion
    from trtfarm_worker.orders import Order

    order = Order(
        model=model,
        data=data or (),
        test_data=test_data or (),
        labels=labels,
        table=table,
        calibrator=Calibrator.parse(calibrator),
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
    )
    with open_farm() as farm:
        if dry_run:
            _explain(farm, order, json=json)
        else:
            _submit(farm, order, fresh=fresh, detach=detach, json=json)


def _submit(farm: Farm, order: Order, *, fresh: bool, detach: bool, json: bool) -> None:
    from trtfarm_cli import summary

    begun = time.monotonic()
    toolchains = _toolchains(farm)
    request = _request(farm, order, toolchains)
    submission_id, queued = farm.submit(request, fresh=fresh)
    submission = farm.submissions.get(submission_id)
    if submission.state == "active":
        from trtfarm_worker.inline import announce

        announce(farm, queued, wanted=detach)
        if not detach:
            submission = _see_through(farm, submission_id, toolchains)
    facts = summary.facts_of(farm, submission, seconds=time.monotonic() - begun)
    if json:
        output.emit_json(facts)
    else:
        summary.show(facts)
    summary.raise_failure(submission)


def _see_through(farm: Farm, submission_id: str, toolchains: list[Toolchain]) -> Submission:
    from trtfarm_cli.following import Following
    from trtfarm_worker.inline import see_through

    with view() as shown:
        following = Following(shown)
        try:
            return see_through(farm, submission_id, toolchains, watcher=following.watch, listener=following.hear)
        except KeyboardInterrupt:
            output.say(f"{submission_id}: unfinished work is back in the queue; the same command goes on with it")
            raise


def _request(farm: Farm, order: Order, toolchains: list[Toolchain]) -> SubmissionRequest:
    from trtfarm_worker.orders import take

    return take(farm, order, toolchains, tell=output.say, listener=lambda _event: None)


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
        typer.echo(f"{explanation.step}: hit, {', '.join(map(str, (explanation.result or {}).values()))}")
    elif explanation.key is None:
        typer.echo(f"{explanation.step}: not known before the steps that it needs have run")
    elif explanation.nearest is None:
        typer.echo(f"{explanation.step}: miss, nothing of the kind is stored")
    elif not explanation.nearest.differs:
        typer.echo(f"{explanation.step}: miss, {explanation.nearest.job_id} did the same but its result is incomplete")
    else:
        typer.echo(f"{explanation.step}: miss; the nearest is of {explanation.nearest.job_id}, where")
        print_differences(explanation.nearest.differs)
