"""Stands for nvidia-ml-py: the functions that the farm calls, answered from the file that NVML_SAYS names."""

# ruff: noqa: N801, N802, N816, N818 - the names are NVIDIA's

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
NVML_VOLATILE_ECC = 0
NVML_DEVICE_MIG_ENABLE = 1
nvmlEventTypeXidCriticalError = 8


class NVMLError(Exception):
    pass


class NVMLError_NotSupported(NVMLError):
    pass


class NVMLError_FunctionNotFound(NVMLError):
    pass


class NVMLError_Timeout(NVMLError):
    pass


def _said() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(Path(os.environ["NVML_SAYS"]).read_text())
    return said


def _gpu(handle: str) -> dict[str, Any]:
    gpu: dict[str, Any] = next(gpu for gpu in _said()["gpus"] if gpu["uuid"] == handle)
    if gpu.get("lost"):
        raise NVMLError("GPU is lost")
    return gpu


def _told(handle: str, name: str) -> Any:
    value = _gpu(handle)[name]
    if value is None:
        raise NVMLError_NotSupported("Not Supported")
    return value


def nvmlInit() -> None:
    if "fails" in _said():
        raise NVMLError(_said()["fails"])


def nvmlShutdown() -> None:
    pass


def nvmlSystemGetDriverVersion() -> str:
    return str(_said()["driver"])


def nvmlSystemGetProcessName(pid: int) -> str:
    raise NVMLError_FunctionNotFound(pid)


def nvmlDeviceGetCount() -> int:
    return len(_said()["gpus"])


def nvmlDeviceGetHandleByIndex(index: int) -> str:
    return str(_said()["gpus"][index]["uuid"])


def nvmlDeviceGetHandleByUUID(uuid: str) -> str:
    return uuid


def nvmlDeviceGetUUID(handle: str) -> str:
    return handle


def nvmlDeviceGetName(handle: str) -> str:
    return str(_told(handle, "name"))


def nvmlDeviceGetCudaComputeCapability(handle: str) -> list[int]:
    capability: list[int] = _told(handle, "compute_capability")
    return capability


def nvmlDeviceGetMigMode(handle: str) -> list[int]:
    return [_told(handle, "mig"), 0]


def nvmlDeviceGetMemoryInfo(handle: str) -> SimpleNamespace:
    gpu = _gpu(handle)
    return SimpleNamespace(total=gpu["total"], used=gpu["used"], free=gpu["total"] - gpu["used"])


def nvmlDeviceGetComputeRunningProcesses(handle: str) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in _told(handle, "holders")]


def nvmlDeviceGetTotalEccErrors(handle: str, kind: int, counter: int) -> int:
    assert (kind, counter) == (NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC)
    return int(_told(handle, "ecc"))


def nvmlDeviceGetRemappedRows(handle: str) -> list[int]:
    rows: list[int] = _told(handle, "remapped")
    return rows


def nvmlDeviceGetRetiredPagesPendingStatus(handle: str) -> int:
    raise NVMLError_NotSupported(handle)


def nvmlEventSetCreate() -> object:
    return object()


def nvmlEventSetFree(events: object) -> None:
    pass


def nvmlDeviceRegisterEvents(handle: str, kinds: int, events: object) -> None:
    assert kinds == nvmlEventTypeXidCriticalError
    _gpu(handle)


def nvmlEventSetWait_v2(events: object, milliseconds: int) -> SimpleNamespace:
    """Tells of the Xid that a GPU's `xid` names, once a look."""
    for gpu in _said()["gpus"]:
        if gpu.get("xid"):
            return SimpleNamespace(device=gpu["uuid"], eventData=gpu["xid"])
    time.sleep(milliseconds / 1000)
    raise NVMLError_Timeout(milliseconds)
