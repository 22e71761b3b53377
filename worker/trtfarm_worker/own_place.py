"""What a client may do itself of what it submits, told before there are jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from trtfarm import routing
from trtfarm.settings import Settings
from trtfarm_worker.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    from trtfarm_worker.offers import Offer


class OwnPlace:
    """This process, with these toolchains; its GPUs are looked for only where their memory counts."""

    def __init__(self, settings: Settings, toolchains: Sequence[Toolchain]) -> None:
        self._settings = settings
        self._toolchains = toolchains

    def does(self, need: routing.Need) -> bool:
        """Whether it has what a job needs, though perhaps not free."""
        words = {routing.CPU, *(f"{toolchain.kind}-{toolchain.version}" for toolchain in self._toolchains)}
        able = routing.toolchain_of(need.capability) in words
        placed = set(need.requires.labels) <= set(self._settings.worker_labels)
        return able and placed and (not need.requires.gpu_memory_gib or self._offer.does(need))

    @cached_property
    def _offer(self) -> Offer:
        from trtfarm_worker.offers import offer_of_host  # noqa: PLC0415 - what looks for GPUs is a tenth of a hit

        return offer_of_host(self._settings, self._toolchains)
