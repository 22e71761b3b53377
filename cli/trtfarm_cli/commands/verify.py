"""`trtfarm verify`: how accurate an engine is, on this host's GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import accuracy, output
from trtfarm_cli.opening import open_farm
from trtfarm_cli.options import Json
from trtfarm_cli.progress import View, listener, view

if TYPE_CHECKING:
    from trtfarm.database.schema import EngineRow
    from trtfarm.farm import Farm
    from trtfarm.jobs.job import Job
    from trtfarm_worker.builder.events import LogLine, Progress


def register(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    engine: Annotated[
        str, typer.Argument(metavar="ENGINE", help="Id of an engine of the farm, its digest, or the start of either.")
    ],
    *,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="PATH", help="Data to verify with; what was used last unless given."),
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Class of each sample, for Top-1 and Top-5.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again, whatever is stored.")] = False,
    json: Json = False,
) -> None:
    """Measures an engine against FP32, on this host's GPU.

    FP32 is what ONNX Runtime computes from the model that the engine was built of. What was measured stays with the
    engine.
    """
    from trtfarm.catalog.lookup import find_one
    from trtfarm.database.schema import EngineRow
    from trtfarm_worker.engines.verification import EngineVerification
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    if labels and not data:
        raise UsageError("--labels is given without --data", remedy="name the data that they are for")
    with open_farm() as farm, view() as shown:
        with farm.database.read() as session:
            found = find_one(session, EngineRow, engine)
        toolchains = ToolchainRegistry(farm.settings.home).toolchains()
        verification = EngineVerification(farm, found, toolchains, fresh=fresh, listener=_hear(shown))
        dataset = _dataset(farm, found, data, labels, shown) if data else verification.usual_dataset()
        measured = verification.on(dataset)
    if json:
        facts = {"engine": found.id, "verification": measured.id, "dataset": measured.dataset_id}
        output.emit_json({**facts, "metrics": measured.metrics})
        return
    output.emit(f"{found.id}  {found.precision} {found.compute_capability}  {measured.metrics['device']['name']}")
    for line in accuracy.lines(measured.metrics, found.precision):
        output.emit(line)


def _hear(shown: View) -> Callable[[Job, Progress | LogLine], None]:
    def hear(job: Job, event: Progress | LogLine) -> None:
        listener(shown, job.kind)(event)

    return hear


def _dataset(farm: Farm, engine: EngineRow, data: list[str], labels: str | None, shown: View) -> str:
    """The id of the data that were named, stored and fit for the engine."""
    from dataclasses import replace

    from trtfarm.database.schema import ModelRow
    from trtfarm.datasets.locate import array_file, named
    from trtfarm.intake import add_dataset
    from trtfarm.models.summary import TensorType
    from trtfarm.signing.statement import EngineStatement
    from trtfarm.submissions.resolve import row
    from trtfarm_worker.engines.inputs import read_data

    with farm.database.read() as session:
        stored = row(session, ModelRow, engine.model_id).inputs
    inputs = [
        TensorType(name=facts["name"], dtype=facts["dtype"], dims=None if facts["dims"] is None else (*facts["dims"],))
        for facts in stored
    ]
    source = named(data, inputs)
    if labels:
        source = replace(source, labels=array_file(Path(labels)))
    with farm.scratch("verify") as folder:
        statement, hear = EngineStatement.of_row(engine), listener(shown, "data")
        read = read_data(farm.settings, source, inputs, statement, folder, labels=True, tell=output.say, listener=hear)
        return add_dataset(farm, read)
