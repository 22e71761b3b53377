"""Workers, and the toolchains that they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from trtfarm.compute_capability import ComputeCapability
from trtfarm.jobs.demand import Demand, demand
from trtfarm.precisions import check_precision
from trtfarm.versions import TensorRTVersion
from trtfarm.workers import WorkerState, elsewhere, list_workers, running_jobs, set_state, worker_named
from trtfarm_api.access import Admin, FarmHere, Reader
from trtfarm_api.auditing import note
from trtfarm_api.names import Name
from trtfarm_api.pages import Text

#: The kind of toolchain that is no TensorRT.
_REFERENCE = "reference"

router = APIRouter(prefix="/v1", tags=["workers"])

Wish = Literal["pause", "drain", "resume"]
_STATES: dict[Wish, WorkerState] = {
    "pause": WorkerState.PAUSED,
    "drain": WorkerState.DRAINING,
    "resume": WorkerState.READY,
}


class WorkerView(BaseModel):
    """A worker; `jobs` is how many it runs, `toolchains` and `gpus` are what it says of itself.

    It is `alive` until `lease_until`, and was last `heard` of then; `reason` tells why it took itself out.
    """

    id: str
    host: str
    state: str
    reason: str | None
    alive: bool
    pid: int
    slots: int
    jobs: int
    capabilities: list[str]
    toolchains: list[dict[str, Any]]
    gpus: list[dict[str, Any]]
    labels: list[str]
    memory_bytes: int | None
    started: str
    lease_until: str
    heard: str | None
    version: str | None


class Workers(BaseModel):
    items: list[WorkerView]


class Demands(BaseModel):
    items: list[Demand]


class Toolchains(BaseModel):
    """Toolchains of living workers, each with the ids of the workers that have it so."""

    items: list[dict[str, Any]]


@router.get("/workers")
def workers(
    *,
    farm: FarmHere,
    _actor: Reader,
    left: Annotated[bool, Query(description="Also those that fell silent or ended within a day.")] = False,
) -> Workers:
    """Workers that are alive, by host."""
    running = running_jobs(farm.database)
    return Workers(items=[WorkerView(**worker.as_dict(running)) for worker in list_workers(farm.database, left=left)])


@router.get("/workers/{worker}")
def worker(farm: FarmHere, _actor: Reader, worker: Name) -> WorkerView:
    """A worker, also one that fell silent or ended within a day; `/v1/jobs?state=running&worker=ID` are its jobs."""
    return WorkerView(**worker_named(farm.database, worker).as_dict(running_jobs(farm.database)))


@router.post("/workers/{worker}/{state}")
def set_worker(farm: FarmHere, _actor: Admin, worker: Name, state: Wish, request: Request) -> WorkerView:
    """`pause` lets a worker take no more jobs, `drain` ends it when its jobs are done, `resume` undoes both."""
    changed = set_state(farm.database, worker, _STATES[state])
    note(request, worker=changed.id)
    return WorkerView(**changed.as_dict(running_jobs(farm.database)))


@router.get("/toolchains")
def toolchains(
    farm: FarmHere, _actor: Reader, tensorrt: Text = None, target: Text = None, precision: Text = None
) -> Toolchains:
    """What living workers can build with."""
    if precision is not None:
        check_precision(precision)
    version = TensorRTVersion.wanted(tensorrt) if tensorrt else None
    capability = str(ComputeCapability.parse(target)) if target else None
    found: dict[str, dict[str, Any]] = {}
    for one in list_workers(farm.database):
        for toolchain in map(elsewhere, one.toolchains):
            if _fits(toolchain, version, capability, precision):
                entry = found.setdefault(repr(sorted(toolchain.items(), key=str)), {**toolchain, "workers": []})
                entry["workers"].append(one.id)
    return Toolchains(items=sorted(found.values(), key=lambda toolchain: str(toolchain.get("name"))))


@router.get("/demand")
def demand_now(farm: FarmHere, _actor: Reader) -> Demands:
    """What waits for which kind of worker, and how many there are: what to add workers by."""
    return Demands(items=demand(farm.database))


def _fits(
    toolchain: Mapping[str, Any], version: TensorRTVersion | None, capability: str | None, precision: str | None
) -> bool:
    if version is not None and not _is_of(toolchain, version):
        return False
    if capability is not None and capability not in toolchain.get("compute_capabilities", ()):
        return False
    return precision is None or precision in toolchain.get("precisions", ())


def _is_of(toolchain: Mapping[str, Any], version: TensorRTVersion) -> bool:
    """The version of the reference toolchain is ONNX Runtime's, and one that is broken has none."""
    text = toolchain.get("version")
    return bool(text) and toolchain.get("kind") != _REFERENCE and TensorRTVersion.parse(str(text)).matches(version)
