"""`trtfarm run`: arrays through an engine on this host's GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.engine_data import data_reader
from trtfarm_cli.engine_files import named_engine
from trtfarm_cli.files import copy_new, writable
from trtfarm_cli.options import EngineFile, Inputs, Json, ProfileNumber
from trtfarm_cli.progress import listener, view


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    engine: EngineFile,
    *,
    inputs: Inputs,
    destination: Annotated[
        Path, typer.Option("--output", "-o", help="Archive (.npz) to write: an array for each output.")
    ],
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Samples at once; the engine's largest unless given.")
    ] = None,
    profile: ProfileNumber = None,
    json: Json = False,
) -> None:
    """Runs an engine on data, on this host's GPU.

    The engine is one of the farm or a pulled file; either way a trusted key must have signed it. Data is checked
    against what the engine takes before the GPU is asked for.
    """
    from trtfarm.scratch import temporary_folder
    from trtfarm.settings import Settings
    from trtfarm.signing.signed_file import signature_path
    from trtfarm_worker.engines.inputs import input_types, inputs_source
    from trtfarm_worker.engines.profiles import EngineProfiles
    from trtfarm_worker.engines.running import engine_step, toolchain_for
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    settings = Settings.from_environment()
    writable(destination, unlike=(Path(engine), signature_path(Path(engine))))
    with temporary_folder() as folder, view() as shown:
        hear = listener(shown, "run")
        found = named_engine(settings, engine, folder)
        source = inputs_source(found.statement, inputs)
        writable(destination, unlike=source.paths)
        profiles = EngineProfiles.of(found.statement.profiles, found.more_profiles, profile)
        toolchain = toolchain_for(ToolchainRegistry(settings.home).toolchains(), found.statement, found.name)
        types = input_types(found.statement)
        data = data_reader(settings, profiles, folder, hear).read(source, types)
        args = {"inputs": data.input_specs(), "batch_size": batch_size, "profile": profile}
        with engine_step(settings, toolchain, found, "trt-run", args, on_event=hear) as answer:
            copy_new(answer.file("outputs"), destination)
            result = answer.result
    if json:
        facts = {name: result[name] for name in ("samples", "shapes", "profile", "device")}
        output.emit_json({"engine": found.name, "path": str(destination), **facts})
        return
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in result["shapes"].items())
    output.emit(f"{destination}: {shapes} ({output.counted(result['samples'], 'sample')}, {result['device']['name']})")
