"""A builder that loads its TensorRT while this process still finds out what there is to do.

A process needs up to 6 s for TensorRT's modules, a CUDA context and the kernel library, an inspection about one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from trtfarm_worker.builder.child import Child, Early, started, started_early
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.toolchains.toolchain import Toolchain

_AHEAD = "trtfarm_builder.trt.ahead"


class HeadStart:
    """At most one such builder, for the first request that it fits; at the end of the block it is gone.

    It computes nothing, so it has no turn on its GPU. The thread that calls `begin` has to stay until the end.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._early: Early | None = None
        self._for: tuple[Toolchain, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def begun(self) -> bool:
        """Whether one was begun, even if it is gone by now."""
        return self._for is not None

    def begin(self, toolchain: Toolchain, gpu: str, scratch: Path, limits: Limits) -> None:
        """Starts it in the folder `scratch`, which has to stay until the end. Raises ToolchainError."""
        early = started_early(toolchain, scratch, gpu=gpu, file_bytes=limits.file_bytes, ahead=_AHEAD)
        self._early, self._for = self._stack.enter_context(early), (toolchain, gpu)

    def build(self, request: BuilderRequest, **rest: Any) -> BuilderAnswer:
        """As `run_builder`, by that builder where it fits."""
        return run_builder(request, start=self._started, **rest)

    @contextmanager
    def _started(self, request: BuilderRequest) -> Iterator[Child]:
        early = self._taken(request)
        if early is None:
            with started(request) as child:
                yield child
            return
        with self._stack:
            early.ask(request)
            yield early.child

    def _taken(self, request: BuilderRequest) -> Early | None:
        with self._lock:
            early = self._early
            if early is None or request.gpu is None or self._for != (request.toolchain, request.gpu.uuid):
                return None
            self._early = None
        return early if early.child.process.poll() is None else None
