"""What a host needs to be a farm, looked at one by one."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from uv import find_uv_bin

from trtfarm.errors import TrtfarmError
from trtfarm.workers import Worker, WorkerState
from trtfarm_worker.elsewhere import toolchains_of
from trtfarm_worker.gpus.gpu import GpuStatus
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

_DRIVER = Path("/proc/driver/nvidia/version")
_OLDEST_PYTHON = (3, 11)
_GIB = 1 << 30
_MUCH_DISK = 10 * _GIB
_LITTLE_DISK = _GIB
#: A service without which a farm works all the same.
_DISPENSABLE = "broker"


class CheckState(StrEnum):
    #: As it should be.
    OK = "ok"
    #: Something cannot be done here; the rest can.
    WARN = "warn"
    #: The farm does not work like this.
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding; `remedy` is a command or an instruction, None when all is well."""

    name: str
    state: CheckState
    detail: str
    remedy: str | None = None


def examine(
    home: Path,
    *,
    toolchains: Callable[[], Sequence[Toolchain]],
    keys: Callable[[], str],
    services: Mapping[str, Callable[[], str]],
    gpus: Callable[[], GpuKeeper] = keeper_of_host,
    workers: Callable[[], Sequence[Worker]] = tuple,
    builds_here: bool = True,
) -> list[Check]:
    """All checks of this host, without changing it; and what workers say of themselves, here and elsewhere.

    `toolchains` and `workers` list them, `gpus` finds them; `keys` and the `services` by their names describe what they
    found. Their TrtfarmErrors become failed checks; without a `broker`, jobs only begin a few seconds later. Unless
    the farm `builds_here`, it is its workers' toolchains that build.
    """
    known = _known(workers)
    return [
        python_check(sys.version_info[:2]),
        supervision_check(),
        home_check(home),
        disk_check(shutil.disk_usage(_nearest(home)).free, home),
        uv_check(),
        driver_check(_DRIVER),
        *gpu_checks(gpus(), driver=_DRIVER.exists()),
        *_toolchain_checks(toolchains, known, builds_here=builds_here),
        asked_check("keys", keys),
        *(
            asked_check(name, describe, failed=CheckState.WARN if name == _DISPENSABLE else CheckState.FAIL)
            for name, describe in services.items()
        ),
        *worker_checks(known or ()),
    ]


def python_check(version: tuple[int, ...]) -> Check:
    detail = f"{platform.python_implementation()} {'.'.join(map(str, version))} at {sys.executable}"
    if version < _OLDEST_PYTHON:
        return Check(name="python", state=CheckState.FAIL, detail=detail, remedy="use Python 3.11 or newer")
    return Check(name="python", state=CheckState.OK, detail=detail)


def supervision_check() -> Check:
    """Whether this kernel, or the container's rules, let the supervisor watch over processes."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Check(
            name="supervision",
            state=CheckState.FAIL,
            detail=f"pidfd_open: {error}",
            remedy="use Linux 5.3 or newer, and a container runtime that allows pidfd_open",
        )
    return Check(name="supervision", state=CheckState.OK, detail=f"Linux {platform.release()}")


def home_check(home: Path) -> Check:
    """Whether files can be made in the farm's home, or the home itself where it is still to come."""
    try:
        tempfile.TemporaryFile(dir=_nearest(home)).close()
    except OSError as error:
        return Check(
            name="home",
            state=CheckState.FAIL,
            detail=f"{home}: {error.strerror}",
            remedy="set TRTFARM_HOME to a folder of yours",
        )
    return Check(name="home", state=CheckState.OK, detail=str(home))


def disk_check(free: int, home: Path) -> Check:
    """`free` is in bytes."""
    detail = f"{free / _GIB:.1f} GiB free for {home}"
    if free >= _MUCH_DISK:
        return Check(name="disk", state=CheckState.OK, detail=detail)
    state = CheckState.WARN if free >= _LITTLE_DISK else CheckState.FAIL
    return Check(name="disk", state=state, detail=detail, remedy="free space, or set TRTFARM_HOME to a larger disk")


def uv_check() -> Check:
    try:
        return Check(name="uv", state=CheckState.OK, detail=find_uv_bin())
    except FileNotFoundError as error:
        return Check(
            name="uv", state=CheckState.WARN, detail=str(error), remedy="reinstall trtfarm; uv is a part of it"
        )


def driver_check(version_file: Path) -> Check:
    """NVIDIA's driver; a farm without one calibrates on the CPU and builds with TensorRT-RTX."""
    try:
        detail = version_file.read_text().splitlines()[0]
    except (OSError, IndexError):
        detail = "none: engines are built ahead of time by TensorRT-RTX, and cannot be timed here"
    return Check(name="gpu driver", state=CheckState.OK, detail=detail)


def gpu_checks(keeper: GpuKeeper, *, driver: bool) -> list[Check]:
    """One check for each GPU, or one that says why there is none; without a `driver` none is missed."""
    if not keeper.gpus:
        state = CheckState.WARN if driver else CheckState.OK
        remedy = "see that nvidia-smi shows a GPU" if driver else None
        return [Check(name="gpus", state=state, detail=f"none: {keeper.reason}", remedy=remedy)]
    return [_gpu_check(f"gpu {number}", status) for number, status in enumerate(keeper.statuses())]


def _gpu_check(name: str, status: GpuStatus) -> Check:
    gpu, problem = status.gpu, status.out_of_service or status.occupied
    detail = f"{gpu.name}, {gpu.compute_capability}, {gpu.memory_bytes / _GIB:.0f} GiB, driver {gpu.driver}, {gpu.uuid}"
    if problem is None:
        return Check(name=name, state=CheckState.OK, detail=detail)
    remedy = "reset or repair it" if status.out_of_service else "end what uses it, or set TRTFARM_GPU_MEMORY_GIB lower"
    return Check(name=name, state=CheckState.WARN, detail=f"{detail}: {problem}", remedy=remedy)


def worker_checks(workers: Iterable[Worker]) -> list[Check]:
    """One check for each worker that took itself, or one of its GPUs, out of service."""
    checks = []
    for worker in workers:
        out = [f"{gpu['name']}: {gpu['out_of_service']}" for gpu in worker.gpus if gpu.get("out_of_service")]
        if worker.state is WorkerState.QUARANTINED:
            out.append("job after job failed on it, see its log")
        if worker.alive and out:
            remedy = f"repair {worker.host}; then start the worker anew, or trtfarm workers resume {worker.id}"
            checks.append(
                Check(name=f"worker {worker.id}", state=CheckState.WARN, detail="; ".join(out), remedy=remedy)
            )
    return checks


def _known(workers: Callable[[], Sequence[Worker]]) -> Sequence[Worker] | None:
    """The farm's workers; None where they cannot be asked for."""
    try:
        return workers()
    except TrtfarmError:
        return None  # the check of the database or the server tells


def toolchain_checks(
    toolchains: Iterable[Toolchain], workers: Sequence[Worker] | None = (), *, builds_here: bool = True
) -> list[Check]:
    """One check for each toolchain, and one for there being any that builds: here, or else on one of the workers."""
    found = list(toolchains)
    checks = [_toolchain_check(toolchain) for toolchain in found]
    if builds_here and any(toolchain.capabilities.precisions and toolchain.broken is None for toolchain in found):
        return checks
    if workers is None and not builds_here:
        return checks
    return [
        *checks,
        _builders_check(toolchains_of(worker for worker in workers or () if worker.ready), builds_here=builds_here),
    ]


def _builders_check(elsewhere: Sequence[Toolchain], *, builds_here: bool) -> Check:
    name = "toolchains"
    if elsewhere:
        known = sorted({f"{toolchain.kind} {toolchain.version}" for toolchain in elsewhere})
        return Check(name=name, state=CheckState.OK, detail=f"the farm's workers build with {', '.join(known)}")
    remedy = "trtfarm toolchain install tensorrt-rtx"
    if builds_here:
        return Check(name=name, state=CheckState.WARN, detail="none here builds engines", remedy=remedy)
    detail = "no worker of the farm that is up builds engines"
    return Check(name=name, state=CheckState.WARN, detail=detail, remedy=f"on the host of one: {remedy}")


def _toolchain_check(toolchain: Toolchain) -> Check:
    name = f"toolchain {toolchain.name}"
    if toolchain.broken is not None:
        remedy = f"trtfarm toolchain test {toolchain.name}, or trtfarm toolchain remove {toolchain.name}"
        return Check(name=name, state=CheckState.WARN, detail=toolchain.broken, remedy=remedy)
    lacking = "; ".join(f"no {what}: {why}" for what, why in toolchain.capabilities.lacking.items())
    if lacking:
        remedy = "use it on a host with a GPU" if "gpu" in toolchain.capabilities.lacking else "use another version"
        return Check(name=name, state=CheckState.WARN, detail=lacking, remedy=remedy)
    software = "ONNX Runtime" if toolchain.kind is ToolchainKind.REFERENCE else "TensorRT"
    return Check(name=name, state=CheckState.OK, detail=f"{software} {toolchain.version}")


def _toolchain_checks(
    toolchains: Callable[[], Sequence[Toolchain]], workers: Sequence[Worker] | None, *, builds_here: bool
) -> list[Check]:
    try:
        return toolchain_checks(toolchains(), workers, builds_here=builds_here)
    except TrtfarmError as error:
        return [_failed("toolchains", error)]


def asked_check(name: str, describe: Callable[[], str], *, failed: CheckState = CheckState.FAIL) -> Check:
    """`describe` looks at what the check is named after, and says what it found."""
    try:
        return Check(name=name, state=CheckState.OK, detail=describe())
    except TrtfarmError as error:
        return _failed(name, error, failed)


def _failed(name: str, error: TrtfarmError, state: CheckState = CheckState.FAIL) -> Check:
    detail = f"{error.message} ({error.cause})" if error.cause else error.message
    return Check(name=name, state=state, detail=detail, remedy=error.remedy)


def _nearest(folder: Path) -> Path:
    """The folder, or the closest one above it that exists."""
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
