"""A GPU as the driver describes it, and what was read from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from trtfarm.compute_capability import ComputeCapability


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What does not change while the driver is loaded."""

    #: `GPU-` and a UUID: the name under which CUDA takes it, whatever the order of devices.
    uuid: str
    name: str
    compute_capability: ComputeCapability
    memory_bytes: int
    driver: str
    #: Whether it is split into parts (MIG), which is left as it is; the farm does not use the parts.
    mig: bool = False

    @property
    def size(self) -> tuple[str, int]:
        """Its compute capability, and bytes of memory."""
        return str(self.compute_capability), self.memory_bytes

    @property
    def model(self) -> str:
        """What decides what a toolchain can do on it: GPUs that agree in this do not need to be tried each."""
        return f"{self.name}, driver {self.driver}"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process with memory on a GPU. In a container its number may be the host's, and its name unknown."""

    pid: int
    name: str
    bytes: int | None

    def __str__(self) -> str:
        size = "" if self.bytes is None else f" with {self.bytes >> 20} MiB"
        return f"{self.name or 'process'} ({self.pid}){size}"


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What changes: memory in bytes, and errors since the driver was loaded; None or empty where it does not tell."""

    used_bytes: int
    free_bytes: int
    holders: tuple[Holder, ...] = ()
    #: Errors in memory that could not be corrected.
    uncorrected_errors: int | None = None
    #: Why its memory needs a reset of the GPU or a repair.
    repair: str | None = None


@dataclass(frozen=True, kw_only=True)
class GpuStatus:
    """A GPU of a worker: in service unless `out_of_service` says why not; `occupied` says who else uses it."""

    gpu: Gpu
    out_of_service: str | None = None
    occupied: str | None = None

    def as_dict(self) -> dict[str, Any]:
        facts = asdict(self.gpu) | {"compute_capability": str(self.gpu.compute_capability)}
        return {**facts, "out_of_service": self.out_of_service, "occupied": self.occupied}
