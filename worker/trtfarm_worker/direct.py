"""One builder step without a farm: no database, no job, nothing kept but what the caller takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain


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
    """The same of any toolchain."""
    with temporary_folder() as folder:
        yield run_builder(_request(settings, toolchain, step, args, folder), on_event=on_event)


def reference_request(settings: Settings, step: str, args: Mapping[str, Any], scratch: Path) -> BuilderRequest:
    """A step of the reference toolchain within the limits that the settings allow."""
    return _request(settings, reference_toolchain(), step, args, scratch)


def _request(
    settings: Settings, toolchain: Toolchain, step: str, args: Mapping[str, Any], scratch: Path
) -> BuilderRequest:
    return BuilderRequest(toolchain=toolchain, step=step, args=args, limits=Limits.of(settings), scratch=scratch)
