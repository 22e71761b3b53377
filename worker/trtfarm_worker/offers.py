"""What a process that runs jobs can do: its toolchains, together with its GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trtfarm import routing
from trtfarm.compute_capability import ComputeCapability
from trtfarm_worker.gpus.gpu import GpuStatus
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Toolchains and GPUs as they are now."""

    toolchains: Sequence[Toolchain] = ()
    gpus: Sequence[GpuStatus] = ()

    @property
    def capabilities(self) -> list[str]:
        """What jobs may need that are done here; a GPU that is out of service adds nothing."""
        in_service = {status.gpu.compute_capability for status in self.gpus if status.out_of_service is None}
        words = {word for toolchain in self.toolchains for word in _offered(toolchain, in_service)}
        return sorted({routing.CPU} | words)


def _offered(toolchain: Toolchain, in_service: Iterable[ComputeCapability]) -> list[str]:
    if toolchain.broken is not None or not toolchain.version or toolchain.kind is ToolchainKind.REFERENCE:
        return []
    kind, version = toolchain.kind.value, toolchain.version
    if toolchain.kind is not ToolchainKind.TENSORRT:
        return [routing.capability(kind, version, None)]
    able = sorted(set(in_service) & set(toolchain.capabilities.compute_capabilities))
    return [routing.capability(kind, version, str(found)) for found in able]
