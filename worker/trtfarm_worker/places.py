"""Room for jobs on this host: so many on its CPUs, and one on each GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from trtfarm.compute_capability import ComputeCapability
from trtfarm.requirements import whole_gib
from trtfarm.routing import Opening, Station, gpu_of, station_of
from trtfarm_worker.gpus.gpu import GpuStatus
from trtfarm_worker.gpus.keeper import GpuKeeper, HeldGpu


@dataclass(frozen=True, kw_only=True)
class Place:
    """Room for one job; `gpu` is None on the CPUs."""

    gpu: HeldGpu | None
    give_back: Callable[[], None]

    def station(self, labels: Iterable[str]) -> Station:
        """Where a job is done that gets it, on a worker with these labels."""
        return station_of(labels, [self.gpu.gpu.size] if self.gpu else [])


class Places:
    """Threads may share it; nothing here waits."""

    def __init__(self, slots: int, keeper: Callable[[], GpuKeeper] = GpuKeeper) -> None:
        """`keeper` is called when GPUs are first asked for: looking for them takes longer than most commands."""
        self._slots = threading.Semaphore(slots)
        self._make_keeper = keeper

    @cached_property
    def keeper(self) -> GpuKeeper:
        return self._make_keeper()

    def gpus(self) -> Sequence[GpuStatus]:
        """The GPUs as they are now."""
        return self.keeper.statuses()

    def take(self, opening: Opening) -> Place | None:
        """Room for a job that takes this; None if there is none now."""
        compute_capability = gpu_of(opening.capability)
        if compute_capability is None:
            taken = self._slots.acquire(blocking=False)
            return Place(gpu=None, give_back=self._slots.release) if taken else None
        wanted = ComputeCapability.parse(compute_capability)
        held = self.keeper.take(
            lambda gpu: gpu.compute_capability == wanted and whole_gib(gpu.memory_bytes) >= opening.gpu_memory_gib
        )
        return None if held is None else Place(gpu=held, give_back=lambda: self.keeper.give_back(held))
