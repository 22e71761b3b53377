"""`trtfarm doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.options import Json


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(*, json: Json = False) -> None:
    """Checks what this host has and what it lacks.

    Python, disk, uv, driver, GPUs, toolchains, keys, database, blobs, broker, and workers that took themselves out.
    Exit code 1 when anything fails.
    """
    from trtfarm.blobs.location import store_at
    from trtfarm.digests import NO_BLOB
    from trtfarm.farm import Farm
    from trtfarm.settings import Settings
    from trtfarm.signing.keyring import Keyring
    from trtfarm.workers import Worker, list_workers
    from trtfarm_worker.app import broker_of
    from trtfarm_worker.doctor import CheckState, examine
    from trtfarm_worker.gpus.keeper import keeper_of_host
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    settings = Settings.from_environment()

    def database() -> str:
        with Farm.open(settings) as farm:
            return f"{farm.database.engine.url.render_as_string(hide_password=True)} is up to date"

    def blobs() -> str:
        store_at(settings.blob_url).size(NO_BLOB)
        return settings.blob_url

    def keys() -> str:
        trusted = Keyring.of(settings).trusted()
        own = next((key.id for key in trusted if key.own), "a key of this farm's own comes with its first engine")
        return f"{own}; {sum(not key.own for key in trusted)} of others"

    def workers() -> list[Worker]:
        with Farm.open(settings) as farm:
            return list_workers(farm.database)

    checks = examine(
        settings.home,
        toolchains=ToolchainRegistry(settings.home).toolchains,
        keys=keys,
        database=database,
        blobs=blobs,
        broker=lambda: broker_of(settings),
        gpus=lambda: keeper_of_host(settings.gpu_memory_bytes),
        workers=workers,
    )
    if json:
        output.emit_json([asdict(check) for check in checks])
    else:
        for check in checks:
            output.emit(f"{check.state:4}  {check.name}: {check.detail}")
            if check.remedy:
                output.emit(f"      {check.remedy}")
    if any(check.state is CheckState.FAIL for check in checks):
        raise typer.Exit(exits.FAILED)
