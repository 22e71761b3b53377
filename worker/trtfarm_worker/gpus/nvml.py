"""NVIDIA's management library, read through `nvidia-ml-py`; nothing else in the farm calls it.

It stays open as long as the object lives: opening it wakes every GPU, which takes seconds where the driver lets them
sleep. What a GPU does not tell (`NVMLError_NotSupported`, as of ECC on cards without it) is None.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from trtfarm.compute_capability import ComputeCapability
from trtfarm_worker.gpus.gpu import Gpu, Holder, Vitals

_WAIT_MILLISECONDS = 1000


class NoNvmlError(Exception):
    """The library, the driver or a GPU cannot be asked; the text says why."""


class Nvml:
    """Threads may share it. Every method raises NoNvmlError when the driver or the GPU has gone away."""

    def __init__(self) -> None:
        """Raises NoNvmlError where there is no NVIDIA driver, or none that works."""
        self._library = _imported()
        self._call("nvmlInit")
        weakref.finalize(self, _shut_down, self._library)

    def gpus(self) -> list[Gpu]:
        """All that the driver shows this process, in the order of their slots."""
        driver = str(self._call("nvmlSystemGetDriverVersion"))
        return [self._gpu(index, driver) for index in range(self._call("nvmlDeviceGetCount"))]

    def vitals(self, uuid: str) -> Vitals:
        handle = self._call("nvmlDeviceGetHandleByUUID", uuid)
        memory = self._call("nvmlDeviceGetMemoryInfo", handle)
        library = self._library
        kinds = library.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, library.NVML_VOLATILE_ECC
        return Vitals(
            used_bytes=memory.used,
            free_bytes=memory.free,
            holders=tuple(self._holders(handle)),
            uncorrected_errors=self._told("nvmlDeviceGetTotalEccErrors", handle, *kinds),
            repair=self._repair(handle),
        )

    def watch(self, uuids: Sequence[str], tell: Callable[[str, int], None], ended: threading.Event) -> None:
        """Calls `tell` with UUID and number of each Xid, until `ended` is set; returns at once where none are told."""
        events = self._told("nvmlEventSetCreate")
        if events is None:
            return
        kind, nothing_yet = self._library.nvmlEventTypeXidCriticalError, (self._library.NVMLError_Timeout,)
        try:
            for uuid in uuids:
                self._told("nvmlDeviceRegisterEvents", self._call("nvmlDeviceGetHandleByUUID", uuid), kind, events)
            while not ended.is_set():
                with suppress(*nothing_yet):
                    event = self._call("nvmlEventSetWait_v2", events, _WAIT_MILLISECONDS, passing=nothing_yet)
                    tell(str(self._call("nvmlDeviceGetUUID", event.device)), int(event.eventData))
        finally:
            self._told("nvmlEventSetFree", events)

    def _gpu(self, index: int, driver: str) -> Gpu:
        handle = self._call("nvmlDeviceGetHandleByIndex", index)
        major, minor = self._call("nvmlDeviceGetCudaComputeCapability", handle)
        mig = self._told("nvmlDeviceGetMigMode", handle)
        return Gpu(
            uuid=str(self._call("nvmlDeviceGetUUID", handle)),
            name=str(self._call("nvmlDeviceGetName", handle)),
            compute_capability=ComputeCapability(major, minor),
            memory_bytes=self._call("nvmlDeviceGetMemoryInfo", handle).total,
            driver=driver,
            mig=mig is not None and mig[0] == self._library.NVML_DEVICE_MIG_ENABLE,
        )

    def _holders(self, handle: Any) -> list[Holder]:
        processes = self._told("nvmlDeviceGetComputeRunningProcesses", handle) or []
        return [Holder(pid=found.pid, name=self._name(found.pid), bytes=found.usedGpuMemory) for found in processes]

    def _name(self, pid: int) -> str:
        try:
            return str(self._library.nvmlSystemGetProcessName(pid))
        except self._library.NVMLError:  # it has ended, or is in another container
            return ""

    def _repair(self, handle: Any) -> str | None:
        remapped = self._told("nvmlDeviceGetRemappedRows", handle)
        if remapped is not None:
            _, _, pending, failed = remapped
            if failed:
                return "rows of its memory could not be remapped"
            if pending:
                return "rows of its memory wait for a reset to be remapped"
        pending = self._told("nvmlDeviceGetRetiredPagesPendingStatus", handle)
        return "pages of its memory wait for a reset to be retired" if pending else None

    def _told(self, function: str, *args: Any) -> Any:
        """What the function gives; None where this GPU or driver has no such thing to tell."""
        unknown = (self._library.NVMLError_NotSupported, self._library.NVMLError_FunctionNotFound)
        with suppress(*unknown):
            return self._call(function, *args, passing=unknown)
        return None

    def _call(self, function: str, *args: Any, passing: tuple[type[Exception], ...] = ()) -> Any:
        try:
            return getattr(self._library, function)(*args)
        except passing:
            raise
        except self._library.NVMLError as error:
            raise NoNvmlError(f"NVIDIA's driver: {error}") from error


def _imported() -> Any:
    try:
        import pynvml  # noqa: PLC0415 - hosts without a GPU never need it
    except ImportError as error:
        raise NoNvmlError(f"nvidia-ml-py is not installed ({error})") from error
    return pynvml


def _shut_down(library: Any) -> None:
    with suppress(library.NVMLError):
        library.nvmlShutdown()
