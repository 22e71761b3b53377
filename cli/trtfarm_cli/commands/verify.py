"""`trtfarm verify`: how accurate an engine is, on its GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import accuracy, output
from trtfarm_cli.farms.engines import Comparison
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json, ProfileNumber
from trtfarm_cli.progress import view


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
    profile: ProfileNumber = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again, whatever is stored.")] = False,
    json: Json = False,
) -> None:
    """Measures an engine against FP32.

    On this host's GPU, or on a worker's of a farm behind HTTP.

    FP32 is what ONNX Runtime computes from the model that the engine was built of. What was measured stays with the
    engine.
    """
    if labels and not data:
        raise UsageError("--labels is given without --data", remedy="name the data that they are for")
    comparison = Comparison(data=data or (), labels=labels, profile=profile, fresh=fresh)
    with open_any() as farm, view() as shown:
        found = farm.engines.verify(engine, comparison, shown=shown)
    if json:
        output.emit_json({name: found[name] for name in ("engine", "verification", "dataset", "metrics")})
        return
    metrics, precision = found["metrics"], found["precision"]
    output.emit(f"{found['engine']}  {precision} {found['compute_capability']}  {metrics['device']['name']}")
    for line in accuracy.lines(metrics, precision):
        output.emit(line)
