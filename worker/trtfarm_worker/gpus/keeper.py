"""Hands out this host's GPUs one job at a time, and takes those out of service that are not well."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trtfarm_worker.gpus.gpu import Gpu, GpuStatus, Vitals
from trtfarm_worker.gpus.health import SLACK_BYTES, crowded, ill, missing, reason_of_xid, unusable
from trtfarm_worker.gpus.nvml import NoNvmlError, Nvml
from trtfarm_worker.gpus.turns import Turn, take_turn
from trtfarm_worker.gpus.visible import visible
from trtfarm_worker.logs import logger

_log = logger()

#: How long the driver may take to give a dead process's memory free, and how often it is asked.
_GIVE_BACK_SECONDS = 10.0
_LOOK_SECONDS = 0.1


class Reader(Protocol):
    """Reads a GPU, and tells of its Xids until `ended` is set; `Nvml` does. Both raise NoNvmlError."""

    def vitals(self, uuid: str) -> Vitals: ...

    def watch(self, uuids: Sequence[str], tell: Callable[[str, int], None], ended: threading.Event) -> None: ...


@dataclass(frozen=True, kw_only=True)
class HeldGpu:
    """A GPU for one job, and how it was before."""

    gpu: Gpu
    turn: Turn
    before: Vitals


class GpuKeeper:
    """The GPUs that this process may use; threads may share it.

    Errors of the hardware take a GPU out of service until the process starts anew. Memory that a job left behind does
    so until it is back. A GPU that others have filled is only passed over.
    """

    def __init__(
        self,
        reader: Reader | None = None,
        gpus: Sequence[Gpu] = (),
        *,
        needed_bytes: int = 0,
        reason: str | None = None,
        folder: Path | None = None,
    ) -> None:
        """`needed_bytes` have to be free for a job; `reason` says why there are no GPUs; `folder` holds the locks."""
        self.gpus = tuple(gpus)
        self.reason = reason
        self._reader = reader
        self._needed = needed_bytes
        self._folder = folder
        self._lock = threading.Lock()
        self._broken: dict[str, str] = {gpu.uuid: reason for gpu in gpus if (reason := unusable(gpu))}
        self._occupied: dict[str, str] = {}
        #: Bytes in use before the job that left some behind.
        self._leaked: dict[str, int] = {}

    def statuses(self) -> list[GpuStatus]:
        """All GPUs as they are now."""
        for gpu in self.gpus:
            self._look(gpu)
        with self._lock:
            return [
                GpuStatus(gpu=gpu, out_of_service=self._why_out(gpu), occupied=self._occupied.get(gpu.uuid))
                for gpu in self.gpus
            ]

    def take(self, fit: Callable[[Gpu], bool]) -> HeldGpu | None:
        """A GPU of those that fit that is well, has room, and is nobody's; None if there is none now.

        The smallest comes first, so that the large ones are left to jobs that need them.
        """
        for gpu in sorted(self.gpus, key=lambda gpu: gpu.memory_bytes):
            if fit(gpu) and (held := self._take(gpu)) is not None:
                return held
        return None

    def give_back(self, held: HeldGpu) -> None:
        """Ends a job's turn; waits for the driver to free what the job had, and notes it if it does not."""
        try:
            lost = self._still_missing(held)
            if lost:
                reason = f"{lost >> 20} MiB of its memory did not come back after a job"
                _log.error("GPU out of service", gpu=held.gpu.uuid, reason=reason)
                with self._lock:
                    self._leaked[held.gpu.uuid] = held.before.used_bytes
        except NoNvmlError as error:
            self._fail(held.gpu.uuid, str(error))
        finally:
            held.turn.give_back()

    def watch(self, ended: threading.Event) -> None:
        """Takes GPUs out of service whose hardware reports an error, until `ended` is set; for a thread of its own."""
        if self._reader is not None:
            with suppress(NoNvmlError):  # the next look at the GPU says so too
                self._reader.watch([gpu.uuid for gpu in self.gpus], self._hear_xid, ended)

    def _hear_xid(self, uuid: str, number: int) -> None:
        reason = reason_of_xid(number)
        if reason is None:
            _log.warning("a program made the GPU fail", gpu=uuid, xid=number)
        else:
            self._fail(uuid, reason)

    def _fail(self, uuid: str, reason: str) -> None:
        """Takes a GPU out of service for good; the first reason stays."""
        with self._lock:
            if uuid in self._broken:
                return
            self._broken[uuid] = reason
        _log.error("GPU out of service", gpu=uuid, reason=reason)

    def _take(self, gpu: Gpu) -> HeldGpu | None:
        if self._out(gpu):
            return None
        turn = take_turn(gpu.uuid, self._folder)
        if turn is None:
            return None
        vitals = self._look(gpu)
        if vitals is None or self._out(gpu) or gpu.uuid in self._occupied:
            turn.give_back()
            return None
        return HeldGpu(gpu=gpu, turn=turn, before=vitals)

    def _look(self, gpu: Gpu) -> Vitals | None:
        """Reads a GPU and notes what that says; None if it cannot be read."""
        if self._reader is None or gpu.uuid in self._broken:
            return None
        try:
            vitals = self._reader.vitals(gpu.uuid)
        except NoNvmlError as error:
            self._fail(gpu.uuid, str(error))
            return None
        if (reason := ill(vitals)) is not None:
            self._fail(gpu.uuid, reason)
        full = crowded(vitals, self._needed)
        with self._lock:
            if full is None:
                self._occupied.pop(gpu.uuid, None)
            else:
                self._occupied[gpu.uuid] = full
            if vitals.used_bytes <= self._leaked.get(gpu.uuid, 0) + SLACK_BYTES:
                self._leaked.pop(gpu.uuid, None)
        return vitals

    def _still_missing(self, held: HeldGpu) -> int:
        deadline = time.monotonic() + _GIVE_BACK_SECONDS
        pause = threading.Event()
        while self._reader is not None:
            lost = missing(held.before, self._reader.vitals(held.gpu.uuid))
            if not lost or time.monotonic() > deadline:
                return lost
            pause.wait(_LOOK_SECONDS)  # the driver does not tell when it is done
        return 0

    def _out(self, gpu: Gpu) -> bool:
        with self._lock:
            return self._why_out(gpu) is not None

    def _why_out(self, gpu: Gpu) -> str | None:
        if gpu.uuid in self._leaked:
            return "memory of a job that has ended did not come back"
        return self._broken.get(gpu.uuid)


def keeper_of_host(needed_bytes: int = 0, environment: Mapping[str, str] = os.environ) -> GpuKeeper:
    """The GPUs that this process was given; none, with the reason, where there is no driver or no GPU."""
    try:
        nvml = Nvml()
        gpus = nvml.gpus()
    except NoNvmlError as error:
        return GpuKeeper(reason=str(error))
    text = environment.get("CUDA_VISIBLE_DEVICES")
    given = visible(gpus, text)
    if given:
        return GpuKeeper(nvml, given, needed_bytes=needed_bytes)
    none = f"CUDA_VISIBLE_DEVICES={text} names none of {len(gpus)} GPUs"
    return GpuKeeper(reason=none if gpus else "the driver shows no GPU")
