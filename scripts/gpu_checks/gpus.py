"""The GPUs of this host: found as nvidia-smi finds them, one job on each at a time, and all memory back afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.gpu_checks.check import Numbers, SkippedError, check, expect
from scripts.gpu_checks.farm import HostFarm, farm_of
from scripts.gpu_checks.host import Host
from trtfarm_worker.builder.request import BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.keeper import keeper_of_host
from trtfarm_worker.gpus.turns import Turn, take_turn
from trtfarm_worker.gpus.waiting import turn_on

_LIMITS = Limits(wall_seconds=300, silent_seconds=300, memory_bytes=48 << 30)
_MIB = 1 << 20
#: Two builds that nothing but their precision tells apart, and that need no data.
_TWO = ("fp32", "fp16")


@check("NVML finds the GPUs that nvidia-smi shows, and their health", seconds=5)
def gpus_found(host: Host) -> Numbers:
    asked = "uuid,name,compute_cap,memory.total,driver_version"
    told = subprocess.run(
        ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader,nounits"],  # noqa: S607 - the PATH's
        check=True,
        capture_output=True,
        text=True,
    )
    shown = [tuple(word.strip() for word in line.split(",")) for line in told.stdout.splitlines()]
    statuses = host.keeper.statuses()
    found = [_as_shown(status.gpu) for status in statuses]
    numbers: Numbers = {
        "nvidia-smi": shown,
        "found": found,
        "out of service": [status.out_of_service for status in statuses],
        "no room": [status.occupied for status in statuses],
    }
    expect(found == shown, "NVML and nvidia-smi do not agree", numbers)
    return numbers


def _as_shown(gpu: Gpu) -> tuple[str, ...]:
    capability = f"{gpu.compute_capability.major}.{gpu.compute_capability.minor}"
    return gpu.uuid, gpu.name, capability, str(gpu.memory_bytes // _MIB), gpu.driver


@check("A builder sees the one GPU that it was given; without one, none", seconds=30)
def builder_sees_its_gpu(host: Host) -> Numbers:
    numbers: Numbers = {}
    for gpu in host.keeper.gpus:
        with turn_on(host.keeper, gpu.__eq__, gpu.uuid, tell=host.log.append) as held:
            numbers[gpu.uuid] = _seen(host, held.turn)
        expect(numbers[gpu.uuid] == [gpu.uuid], "the builder sees other GPUs", numbers)
    numbers["without"] = _seen(host, None)
    expect(numbers["without"] == [], "a builder without a GPU sees one", numbers)
    return numbers


def _seen(host: Host, turn: Turn | None) -> list[str]:
    """The GPUs that CUDA shows a builder."""
    with tempfile.TemporaryDirectory(dir=host.scratch) as scratch:
        request = BuilderRequest(
            toolchain=host.toolchain, step="trt-probe", args={}, limits=_LIMITS, scratch=Path(scratch), gpu=turn
        )
        return [gpu["uuid"] for gpu in run_builder(request, on_event=lambda _: None).result["gpus"]]


@check("A GPU's memory is back after a build, and its turn is nobody's", seconds=20)
def gpu_given_back(host: Host) -> Numbers:
    keeper = keeper_of_host()
    (before, *_) = [status.gpu for status in keeper.statuses()]
    with turn_on(keeper, before.__eq__, before.uuid, tell=host.log.append) as held:
        expect(take_turn(before.uuid) is None, "two had the GPU at a time", {})
        used = held.before.used_bytes
        _seen(host, held.turn)  # a probe builds a network there
    (after,) = [status for status in keeper.statuses() if status.gpu == before]
    numbers: Numbers = {"used before, MiB": used // _MIB, "out of service": after.out_of_service}
    expect(after.out_of_service is None, "memory did not come back", numbers)
    turn = take_turn(before.uuid)
    expect(turn is not None, "the turn was not given back", numbers)
    if turn is not None:
        turn.give_back()
    return numbers


@check("Two submits at once: one after the other on one GPU, beside each other on two", seconds=45)
def submits_take_turns(host: Host) -> Numbers:
    farm = farm_of(host)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda precision: _submit(host, farm, precision), _TWO))
    numbers = _last_two_builds(farm) | {"GPUs": len(_alike(host))}
    if len(_alike(host)) > 1:
        expect(numbers["overlap, seconds"] > 0, "two GPUs built one after the other", numbers)
    else:
        expect(numbers["overlap, seconds"] <= 0, "one GPU built twice at a time", numbers)
    return numbers


@check("Two GPUs: two clients, and one worker, build on both at once, each on a GPU of its own", seconds=75)
def two_gpus_build_at_once(host: Host) -> Numbers:
    if len(_alike(host)) < 2:
        raise SkippedError("there is one GPU")
    farm = farm_of(host)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda precision: _submit(host, farm, precision), _TWO))
    numbers: Numbers = {"clients": _last_two_builds(farm)}
    for precision in _TWO:
        _submit(host, farm, precision, "--detach")
    with farm.started("worker") as worker:
        worker.until("worker is up")
        for job in farm.json("jobs", "list", "--kind", "build", "--limit", "2"):
            farm.run("jobs", "watch", job["id"])
        (listed,) = farm.json("workers", "list")
        farm.json("workers", "drain", listed["id"])
        worker.ended()
    numbers["worker"] = _last_two_builds(farm)
    for who, told in numbers.items():
        expect(told["overlap, seconds"] > 0, f"{who}: one build after the other", numbers)
        expect(len(set(told["on"])) == 2, f"{who}: both builds on one GPU", numbers)
    expect(set(numbers["worker"]["by"]) == {listed["id"]}, "the worker did not do both", numbers)
    return numbers


def _alike(host: Host) -> list[Gpu]:
    """The GPUs of the first one's compute capability."""
    return [gpu for gpu in host.keeper.gpus if gpu.compute_capability == host.keeper.gpus[0].compute_capability]


def _submit(host: Host, farm: HostFarm, precision: str, *more: str) -> Any:
    target = str(host.keeper.gpus[0].compute_capability)
    options = ("--precision", precision, "--target", target, "--fresh", *more)
    return farm.json("submit", host.model("lenet"), *options)


def _last_two_builds(farm: HostFarm) -> Numbers:
    """When the two newest builds ran, for how long both at once (below zero: the pause between), by whom and where."""
    builds = farm.json("jobs", "list", "--kind", "build", "--limit", "2")
    builds.sort(key=lambda job: str(job["started"]))
    expect(_states(builds) == ["done", "done"], "a build was not done", {"states": _states(builds)})
    spans = [(_moment(job["started"]), _moment(job["finished"])) for job in builds]
    overlap = min(spans[0][1], spans[1][1]) - spans[1][0]
    shown = [farm.json("engines", "show", job["result"]["engine_id"]) for job in builds]
    return {
        "seconds": [round((end - begun).total_seconds(), 2) for begun, end in spans],
        "overlap, seconds": round(overlap.total_seconds(), 2),
        "by": [job["owner"] for job in builds],
        "on": [engine["device"]["uuid"] for engine in shown],
    }


def _states(jobs: Iterable[dict[str, Any]]) -> list[str]:
    return [str(job["state"]) for job in jobs]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@check("A worker lists its GPU and what it offers, and does what a client leaves to it", seconds=60)
def worker_offers_its_gpu(host: Host) -> Numbers:
    farm, gpu = farm_of(host), host.keeper.gpus[0]
    with farm.started("worker") as worker:
        worker.until("worker is up")
        (listed,) = farm.json("workers", "list")
        target = str(gpu.compute_capability)
        summary = farm.json("submit", host.model("lenet"), "--precision", "fp32", "--target", target, "--fresh")
        (build, *_) = farm.json("jobs", "list", "--kind", "build", "--limit", "1")
        farm.json("workers", "drain", listed["id"])
        code = worker.ended()
    numbers: Numbers = {
        "offers": listed["capabilities"],
        "GPUs": [found["uuid"] for found in listed["gpus"]],
        "state": summary["state"],
        "by the worker": build["owner"] == listed["id"],
        "exit code after drain": code,
    }
    expect(f"tensorrt-{host.toolchain.version}/{target}" in listed["capabilities"], "TensorRT is not offered", numbers)
    expect(gpu.uuid in numbers["GPUs"], "the GPU is not listed", numbers)
    expect(numbers["state"] == "done" and numbers["by the worker"], "the worker did not do it", numbers)
    expect(code == 20, "the worker was not drained", numbers)
    return numbers
