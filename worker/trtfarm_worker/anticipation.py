"""A client's head start: its first builder on a GPU loads TensorRT before there is a job for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any, Self

from trtfarm.errors import ToolchainError
from trtfarm.scratch import scratch_folder
from trtfarm.settings import Settings
from trtfarm.targets import BuildTarget
from trtfarm_worker.builder.head_start import HeadStart
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.toolchains.toolchain import Toolchain


class Anticipation:
    """What is begun before there is a job, and ends with the block if none comes."""

    def __init__(self, settings: Settings, toolchains: Sequence[Toolchain]) -> None:
        self._settings = settings
        self._toolchains = toolchains
        self._stack = ExitStack()
        self._head_start = self._stack.enter_context(HeadStart())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def keeper(self) -> GpuKeeper:
        """This host's GPUs: looked for once, for the head start and for the jobs."""
        return keeper_of_host(self._settings.gpu_memory_bytes)

    def expect(self, targets: Sequence[BuildTarget]) -> None:
        """Jobs for these targets are to come, which this process will do: for the first on a GPU a builder begins.

        A GPU that somebody works on is left alone: the builder comes later. Where one has begun, nothing is done.
        """
        found = next(filter(None, (self._fit(target) for target in targets if target.on_gpu)), None)
        if found is None or self._head_start.begun:
            return
        target, toolchain = found
        held = self.keeper.take(lambda gpu: str(gpu.compute_capability) == target.compute_capability)
        if held is None:
            return
        held.turn.give_back()
        scratch = self._stack.enter_context(scratch_folder(self._settings.scratch, "ahead"))
        with suppress(ToolchainError):  # the job will say so
            self._head_start.begin(toolchain, held.gpu.uuid, scratch, Limits.of(self._settings))

    def build(self, request: BuilderRequest, **rest: Any) -> BuilderAnswer:
        """As `run_builder`, by the builder that has begun where it fits."""
        return self._head_start.build(request, **rest)

    def _fit(self, target: BuildTarget) -> tuple[BuildTarget, Toolchain] | None:
        for tool in self._toolchains:
            if (tool.kind.value, tool.version) == (target.toolchain, target.tensorrt) and not tool.broken:
                return target, tool
        return None
