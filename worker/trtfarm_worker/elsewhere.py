"""The toolchains of workers that are up: what can be built in the farm, though not here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from trtfarm import routing
from trtfarm.database.session import Database
from trtfarm.errors import UsageError
from trtfarm.workers import Worker, list_workers, ready_workers
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


def toolchains_elsewhere(database: Database) -> list[Toolchain]:
    """Those that workers offer now, each for the compute capabilities that it would build for there."""
    return toolchains_of(ready_workers(database))


def toolchains_lately(database: Database, host: str) -> list[Toolchain]:
    """The same of workers that take no jobs just now: they were paused, or are gone for less than a day.

    What those of `host`, this one, had is there, or was removed.
    """
    away = (worker for worker in list_workers(database, left=True) if not worker.ready)
    return toolchains_of(worker for worker in away if worker.host != host)


def toolchains_of(workers: Iterable[Worker]) -> list[Toolchain]:
    """The same of these workers."""
    found = [
        offered for worker in workers for data in worker.toolchains if (offered := _offered(worker, data)) is not None
    ]
    return [toolchain for toolchain in found if toolchain.capabilities.compute_capabilities]


def _offered(worker: Worker, data: Mapping[str, Any]) -> Toolchain | None:
    try:
        toolchain = Toolchain.from_dict(data)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError):
        return None  # of another release
    if toolchain.kind is ToolchainKind.REFERENCE or toolchain.broken is not None:
        return None
    can = toolchain.capabilities
    able = tuple(
        target for target in can.compute_capabilities if _needed(toolchain, str(target)) in worker.capabilities
    )
    named = f"{toolchain.name} of {worker.id}"
    return replace(toolchain, name=named, capabilities=replace(can, compute_capabilities=able))


def _needed(toolchain: Toolchain, compute_capability: str) -> str:
    return routing.capability(toolchain.kind.value, toolchain.version, compute_capability)
