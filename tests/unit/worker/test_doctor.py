from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.posers import H200, posed_gpus
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import SignatureError, StorageError, ToolchainError, UnreachableError
from trtfarm.routing import capability
from trtfarm.workers import Worker, WorkerState
from trtfarm_worker.doctor import (
    CheckState,
    disk_check,
    driver_check,
    examine,
    gpu_checks,
    home_check,
    python_check,
    toolchain_checks,
)
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.toolchains.registry import ToolchainRegistry, reference_toolchain
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

_RTX = Toolchain(
    name="rtx",
    kind=ToolchainKind.TENSORRT_RTX,
    python=Path("/python"),
    version="1.7.1.116",
    capabilities=Capabilities(precisions=("fp32", "int8")),
)


def test_this_host_is_examined_without_being_changed(tmp_path: Path) -> None:
    home = tmp_path / "farm"
    checks = examine(
        home,
        toolchains=ToolchainRegistry(home).toolchains,
        keys=lambda: "one",
        services={"database": lambda: "SQLite", "blobs": lambda: "a folder", "broker": lambda: "another folder"},
    )
    states = {check.name: check.state for check in checks}
    assert states.pop("disk") in set(CheckState)
    assert states == {
        "python": CheckState.OK,
        "supervision": CheckState.OK,
        "home": CheckState.OK,
        "uv": CheckState.OK,
        "gpu driver": CheckState.OK,
        "gpus": CheckState.OK,
        "toolchain reference": CheckState.OK,
        "toolchains": CheckState.WARN,
        "keys": CheckState.OK,
        "database": CheckState.OK,
        "blobs": CheckState.OK,
        "broker": CheckState.OK,
    }
    assert not home.exists()
    assert all(check.remedy for check in checks if check.state is not CheckState.OK)


def test_what_cannot_be_asked_is_a_failed_check(tmp_path: Path) -> None:
    def toolchains() -> list[Toolchain]:
        raise ToolchainError("a file cannot be read", remedy="delete it")

    def database() -> str:
        raise StorageError("no connection", cause="refused")

    def keys() -> str:
        raise SignatureError("the key is not private", remedy="chmod 600 it")

    def broker() -> str:
        raise UnreachableError("no broker", remedy="start it")

    services = {"database": database, "blobs": lambda: "a folder", "broker": broker}
    examined = examine(tmp_path, toolchains=toolchains, keys=keys, services=services)
    checks = {check.name: check for check in examined}
    assert (checks["keys"].state, checks["keys"].remedy) == (CheckState.FAIL, "chmod 600 it")
    assert (checks["toolchains"].state, checks["toolchains"].remedy) == (CheckState.FAIL, "delete it")
    assert (checks["database"].state, checks["database"].detail) == (CheckState.FAIL, "no connection (refused)")
    assert (checks["broker"].state, checks["broker"].remedy) == (CheckState.WARN, "start it")


def test_gpus_are_well_full_or_out_of_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = {**H200, "used": H200["total"] - (1 << 30), "holders": [[4711, 140 << 30]]}
    posed_gpus(monkeypatch, tmp_path, H200, full, {**H200, "ecc": 1})
    well, crowded, ill = gpu_checks(keeper_of_host(2 << 30), driver=True)
    assert (well.state, crowded.state, ill.state) == (CheckState.OK, CheckState.WARN, CheckState.WARN)
    assert "NVIDIA H200, sm_90, 140 GiB, driver 580.159.04, GPU-" in well.detail
    assert "1024 MiB are free of the 2048 that a job needs; in use by process (4711) with 143360 MiB" in crowded.detail
    assert "1 uncorrected memory error since the driver was loaded" in ill.detail


def test_a_driver_that_shows_no_gpu_is_missed_where_there_is_one() -> None:
    assert gpu_checks(GpuKeeper(reason="no library"), driver=False)[0].state is CheckState.OK
    missed = gpu_checks(GpuKeeper(reason="the driver shows no GPU"), driver=True)[0]
    assert (missed.state, missed.detail) == (CheckState.WARN, "none: the driver shows no GPU")


def test_toolchains_that_work_lack_something_or_are_broken() -> None:
    lacking = replace(_RTX, capabilities=Capabilities(precisions=("fp32",), lacking={"int8": "an error"}))
    checks = toolchain_checks([reference_toolchain(), _RTX, lacking, replace(_RTX, broken="it is")])
    assert [(check.state, check.detail) for check in checks[1:]] == [
        (CheckState.OK, "TensorRT 1.7.1.116"),
        (CheckState.WARN, "no int8: an error"),
        (CheckState.WARN, "it is"),
    ]


def worker_with(*toolchains: Toolchain) -> Worker:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Worker(
        id="wrk_1",
        host="there",
        pid=1,
        state=WorkerState.READY,
        alive=True,
        slots=1,
        capabilities=(capability("tensorrt-rtx", "1.7.1.116", "sm_86"),),
        toolchains=tuple(toolchain.as_dict() for toolchain in toolchains),
        gpus=(),
        started=moment,
        lease_until=moment,
    )


def test_the_workers_of_a_farm_build_where_this_host_does_not() -> None:
    can = Capabilities(precisions=("int8",), compute_capabilities=(ComputeCapability.parse("sm_86"),))
    builder, reference = worker_with(replace(_RTX, capabilities=can)), worker_with(reference_toolchain())

    def told(toolchain: Toolchain, workers: list[Worker] | None, *, builds_here: bool) -> tuple[CheckState, str] | None:
        checks = {check.name: check for check in toolchain_checks([toolchain], workers, builds_here=builds_here)}
        check = checks.get("toolchains")
        return (check.state, check.detail) if check else None

    there = (CheckState.OK, "the farm's workers build with tensorrt-rtx 1.7.1.116")
    nowhere = (CheckState.WARN, "no worker of the farm that is up builds engines")
    assert told(reference_toolchain(), [reference, builder], builds_here=False) == there
    assert told(reference_toolchain(), [reference, builder], builds_here=True) == there
    assert told(_RTX, [reference], builds_here=True) is None
    # What a client of a server has is of no use to the server.
    assert told(_RTX, [reference], builds_here=False) == nowhere
    assert told(_RTX, [replace(builder, state=WorkerState.PAUSED)], builds_here=False) == nowhere
    assert told(_RTX, None, builds_here=False) is None
    assert told(reference_toolchain(), None, builds_here=True) == (CheckState.WARN, "none here builds engines")


@pytest.mark.parametrize(
    ("free", "state"), [(20 << 30, CheckState.OK), (2 << 30, CheckState.WARN), (0, CheckState.FAIL)]
)
def test_free_space(free: int, state: CheckState) -> None:
    assert disk_check(free, Path("/farm")).state is state


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    check = home_check(tmp_path / "home")
    assert (check.state, check.remedy) == (CheckState.FAIL, "set TRTFARM_HOME to a folder of yours")


def test_an_old_python_is_told() -> None:
    assert python_check((3, 10)).state is CheckState.FAIL


def test_the_driver_is_named_where_there_is_one(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05\nGCC version:\n")
    assert driver_check(version).detail.endswith("580.95.05")
    assert driver_check(tmp_path / "gone").detail.startswith("none")
