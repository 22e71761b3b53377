"""`trtfarm doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.settings import Settings
    from trtfarm.workers import Worker
    from trtfarm_cli.profiles import Profile
    from trtfarm_worker.doctor import Check


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(*, json: Json = False) -> None:
    """Checks what this host has and what it lacks.

    Python, disk, uv, driver, GPUs, toolchains, keys, workers that took themselves out, and database, blobs and broker;
    or the server, where one is in use. Exit code 1 when anything fails.
    """
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import profile_in_use
    from trtfarm_worker.doctor import CheckState, examine
    from trtfarm_worker.gpus.keeper import keeper_of_host
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    settings = Settings.from_environment()
    profile = profile_in_use(settings.home)
    checks = examine(
        settings.home,
        toolchains=ToolchainRegistry(settings.home).toolchains,
        keys=lambda: _keys(settings),
        services={"server": lambda: _server(profile)} if profile else _services(settings),
        gpus=lambda: keeper_of_host(settings.gpu_memory_bytes),
        workers=lambda: _workers(settings, profile),
        builds_here=profile is None,
    )
    if json:
        output.emit_json([asdict(check) for check in checks])
    else:
        _show(checks)
    if any(check.state is CheckState.FAIL for check in checks):
        raise typer.Exit(exits.FAILED)


def _show(checks: Iterable[Check]) -> None:
    for check in checks:
        output.emit(f"{check.state:4}  {check.name}: {check.detail}")
        if check.remedy:
            output.emit(f"      {check.remedy}")


def _keys(settings: Settings) -> str:
    """Those that engines are signed with."""
    from trtfarm.signing.keyring import Keyring

    trusted = Keyring.of(settings).trusted()
    own = next((key.id for key in trusted if key.own), "a key of this farm's own comes with its first engine")
    return f"{own}; {sum(not key.own for key in trusted)} of others"


def _services(settings: Settings) -> dict[str, Callable[[], str]]:
    """What the farm of this host needs."""
    from trtfarm.blobs.location import store_at
    from trtfarm.digests import NO_BLOB
    from trtfarm.farm import Farm
    from trtfarm_worker.app import broker_of

    def database() -> str:
        with Farm.open(settings) as farm:
            return f"{farm.database.engine.url.render_as_string(hide_password=True)} is up to date"

    def blobs() -> str:
        store_at(settings.blob_url).size(NO_BLOB)
        return settings.blob_url

    return {"database": database, "blobs": blobs, "broker": lambda: broker_of(settings)}


def _server(profile: Profile) -> str:
    from trtfarm_cli.profiles import link_of
    from trtfarm_client import Client

    with Client(link_of(profile)) as client:
        version, who = client.health().version, client.whoami()
    return f"{profile.url} is trtfarm {version}, where {who.name or who.id} may {', '.join(who.scopes)}"


def _workers(settings: Settings, profile: Profile | None) -> list[Worker]:
    """Those of the farm in use."""
    from trtfarm.farm import Farm
    from trtfarm.workers import list_workers
    from trtfarm_cli.profiles import link_of
    from trtfarm_client import Client

    if profile is None:
        with Farm.open(settings) as farm:
            return list_workers(farm.database)
    from trtfarm_cli.farms.remote.stock import worker_of

    with Client(link_of(profile)) as client:
        return [worker_of(facts) for facts in client.workers()]
