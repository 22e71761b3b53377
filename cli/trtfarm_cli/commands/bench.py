"""`trtfarm bench`: how long an engine takes on this host's GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import output
from trtfarm_cli.engine_data import data_reader
from trtfarm_cli.engine_files import named_engine
from trtfarm_cli.options import EngineFile, Json, OptionalInputs, ProfileNumber
from trtfarm_cli.progress import listener, view


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    engine: EngineFile,
    *,
    batch_size: Annotated[
        list[str] | None,
        typer.Option(
            "--batch-size", metavar="N,…", help="Samples at once; the engine's least, usual and largest unless given."
        ),
    ] = None,
    iterations: Annotated[int, typer.Option(min=2, max=100_000, help="Runs that are timed.")] = 200,
    warm_up: Annotated[int, typer.Option("--warm-up", min=0, max=100_000, help="Runs before them.")] = 50,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="Launch a recorded CUDA graph.")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Also the time of each layer, one by one.")] = False,
    inputs: OptionalInputs = None,
    profile: ProfileNumber = None,
    json: Json = False,
) -> None:
    """Measures an engine on this host's GPU.

    Median and 95th percentile of single runs, and throughput of runs back to back, by the GPU's own clock; copies from
    and to the host are not counted. Inputs are random numbers unless given.
    """
    from trtfarm.scratch import temporary_folder
    from trtfarm.settings import Settings
    from trtfarm_worker.engines.inputs import input_types, inputs_source
    from trtfarm_worker.engines.profiles import EngineProfiles
    from trtfarm_worker.engines.running import engine_step, toolchain_for
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    settings, sizes = Settings.from_environment(), _sizes(batch_size or ())
    with temporary_folder() as folder, view() as shown:
        hear = listener(shown, "bench")
        found = named_engine(settings, engine, folder)
        profiles = EngineProfiles.of(found.statement.profiles, found.more_profiles, profile)
        sizes = profiles.batch_sizes(sizes)
        toolchain = toolchain_for(ToolchainRegistry(settings.home).toolchains(), found.statement, found.name)
        args: dict[str, Any] = {"iterations": iterations, "warm_up": warm_up, "cuda_graph": cuda_graph}
        args |= {"layers": layers, "batch_sizes": sizes, "profile": profile}
        if inputs:
            source, types = inputs_source(found.statement, inputs), input_types(found.statement)
            data = data_reader(settings, profiles, folder, hear).read(source, types)
            args["inputs"] = data.input_specs()
        with engine_step(settings, toolchain, found, "trt-bench", args, on_event=hear) as answer:
            result = answer.result
    if json:
        told = {name: getattr(found.statement, name) for name in ("precision", "compute_capability", "tensorrt")}
        output.emit_json({"engine": found.name, **told, **result})
    else:
        _show(result)


def _sizes(texts: list[str] | tuple[()]) -> list[int]:
    """Reads `1,8,32`, given once or more often."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    bad = next((part for part in parts if not part.isascii() or not part.isdigit() or int(part) < 1), None)
    if bad is not None:
        raise UsageError(f"--batch-size: {bad!r} is no number of samples", remedy="write it as 1,8,32")
    return sorted({int(part) for part in parts})


def _show(result: Mapping[str, Any]) -> None:
    several = {row["profile"] for row in result["results"]} != {0}
    output.emit_table(
        result["results"],
        {
            "batch_size": None,
            **({"profile": None} if several else {}),
            "median_ms": _milliseconds,
            "p95_ms": _milliseconds,
            "mean_ms": _milliseconds,
            "min_ms": _milliseconds,
            "throughput": lambda value: f"{value:,.0f}/s",
        },
    )
    for layer in result.get("layers", ()):
        output.emit(f"  {layer['ms']:.4f} ms  {layer['dtype'] or '-':8}  {layer['name']}")
    graph = ", CUDA graph" if result["cuda_graph"] else ""
    output.say(f"{result['device']['name']}, driver {result['device']['driver']}{graph}")


def _milliseconds(value: float) -> str:
    return f"{value:.4f}"
