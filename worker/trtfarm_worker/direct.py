"""One builder step without a farm: no database, no job, nothing kept but what the caller takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm_worker.builder.events import LogLine
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.keeper import HeldGpu, keeper_of_host
from trtfarm_worker.gpus.waiting import turn_on
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


@contextmanager
def reference_step(
    settings: Settings, step: str, args: Mapping[str, Any], on_event: Listener
) -> Iterator[BuilderAnswer]:
    """The answer of a step of the reference toolchain; its files are there until the block ends."""
    with direct_step(settings, reference_toolchain(), step, args, on_event) as answer:
        yield answer


@contextmanager
def direct_step(
    settings: Settings, toolchain: Toolchain, step: str, args: Mapping[str, Any], on_event: Listener
) -> Iterator[BuilderAnswer]:
    """The same of any toolchain; a TensorRT's runs on a GPU, of the `compute_capability` in `args` if it is there.

    Raises ToolchainError where there is no such GPU; one that another process of a farm uses is waited for.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        request = _request(settings, toolchain, step, args, folder)
        if toolchain.kind is ToolchainKind.TENSORRT:
            held = stack.enter_context(_gpu(settings, args.get("compute_capability"), on_event))
            request = replace(request, gpu=held.turn)
        yield run_builder(request, on_event=on_event)


def _gpu(settings: Settings, wanted: str | None, on_event: Listener) -> AbstractContextManager[HeldGpu]:
    def fit(gpu: Gpu) -> bool:
        return wanted in (None, str(gpu.compute_capability))

    def tell(text: str) -> None:
        on_event(LogLine(level="warning", text=text))

    return turn_on(keeper_of_host(settings.gpu_memory_bytes), fit, f"a GPU ({wanted or 'any'})", tell=tell)


def reference_request(settings: Settings, step: str, args: Mapping[str, Any], scratch: Path) -> BuilderRequest:
    """A step of the reference toolchain within the limits that the settings allow."""
    return _request(settings, reference_toolchain(), step, args, scratch)


def _request(
    settings: Settings, toolchain: Toolchain, step: str, args: Mapping[str, Any], scratch: Path
) -> BuilderRequest:
    return BuilderRequest(toolchain=toolchain, step=step, args=args, limits=Limits.of(settings), scratch=scratch)
