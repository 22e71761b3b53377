"""What a process that runs jobs can do: its toolchains, together with its GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from trtfarm import routing
from trtfarm.settings import Settings
from trtfarm_worker.gpus.gpu import Gpu, GpuStatus
from trtfarm_worker.gpus.keeper import keeper_of_host
from trtfarm_worker.places import Places
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Toolchains and GPUs as they are now."""

    toolchains: Sequence[Toolchain] = ()
    gpus: Sequence[GpuStatus] = ()
    #: Why no GPU was found, where a TensorRT looked for one.
    no_gpus: str | None = None
    labels: Sequence[str] = ()

    @property
    def capabilities(self) -> list[str]:
        """What jobs may need that are done here; a GPU that is out of service adds nothing."""
        words = {word for toolchain in self.toolchains for word in _offered(toolchain, self._in_service)}
        return sorted({routing.CPU} | words)

    @property
    def station(self) -> routing.Station:
        """Where jobs are done here."""
        return routing.station_of(self.labels, [gpu.size for gpu in self._in_service])

    @property
    def _in_service(self) -> list[Gpu]:
        return [status.gpu for status in self.gpus if status.out_of_service is None]

    def does(self, need: routing.Need) -> bool:
        """Whether a job that needs this may be done here."""
        return routing.fits(need, self.capabilities, self.station)

    def troubles(self, capability: str) -> list[str]:
        """What is the matter with the GPUs here that a job would need."""
        compute_capability = routing.gpu_of(capability)
        if compute_capability is None:
            return []
        if not self.gpus and self.no_gpus:
            return [f"no GPU is found here: {self.no_gpus}"]
        return [
            f"{status.gpu.name} here {'is out of service' if status.out_of_service else 'has no room'}: {reason}"
            for status in self.gpus
            if str(status.gpu.compute_capability) == compute_capability
            and (reason := status.out_of_service or status.occupied)
        ]


def current_offer(toolchains: Sequence[Toolchain], places: Places, labels: Sequence[str] = ()) -> Offer:
    """What can be done here now. GPUs are looked for only if a TensorRT would use them, because that takes time."""
    if not any(toolchain.kind is ToolchainKind.TENSORRT for toolchain in toolchains):
        return Offer(toolchains=toolchains, labels=labels)
    return Offer(toolchains=toolchains, gpus=places.gpus(), no_gpus=places.keeper.reason, labels=labels)


def _offered(toolchain: Toolchain, gpus: Sequence[Gpu]) -> list[str]:
    if toolchain.broken is not None or not toolchain.version or toolchain.kind is ToolchainKind.REFERENCE:
        return []
    kind, version = toolchain.kind.value, toolchain.version
    if toolchain.kind is not ToolchainKind.TENSORRT:
        return [routing.capability(kind, version, None)]
    able = [gpu for gpu in gpus if gpu.compute_capability in _able_on(toolchain, gpu).compute_capabilities]
    return [routing.capability(kind, version, str(gpu.compute_capability)) for gpu in able]


def _able_on(toolchain: Toolchain, gpu: Gpu) -> Capabilities:
    return toolchain.trials.get(gpu.model, toolchain.capabilities)


def offer_of_host(settings: Settings, toolchains: Sequence[Toolchain]) -> Offer:
    """What a process of these settings could do here now, had it nothing to do yet."""
    keeper = partial(keeper_of_host, settings.gpu_memory_bytes)
    return current_offer(toolchains, Places(settings.slots, keeper), settings.worker_labels)
