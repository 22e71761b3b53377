"""A worker of the farm, all of it but for the builder, which makes an engine of a few bytes at once.

Arguments: `process`, which has a builder process started for each job that answers at once, or `inside`, which starts
none; and the descriptor of a pipe that gets a byte when the worker is ready.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

from celery.signals import worker_ready

from trtfarm.settings import Settings
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.celery_worker import work
from trtfarm_worker.staying import settle

TENSORRT = "1.7.1.116"


def inside(request: BuilderRequest, **_watching: Any) -> BuilderAnswer:
    """An answer as `rtx-build` gives it; each engine has bytes of its own, as real ones have."""
    (request.scratch / "engine.plan").write_text(f"a plan for {request.args}")
    (request.scratch / "build.log").write_text("nothing to tell")
    result = {
        "engine": "engine.plan",
        "log": "build.log",
        "tensorrt": TENSORRT,
        "size": 1,
        "seconds": 0.0,
        "layers": [],
        "int8_layers": 0,
        "io": [],
    }
    return BuilderAnswer(
        result=result,
        scratch=request.scratch,
        native_log=request.scratch / "native.log",
        seconds=0.0,
        peak_memory_bytes=0,
    )


def process(request: BuilderRequest, **watching: Any) -> BuilderAnswer:
    """The same after a builder process that did nothing."""
    run_builder(replace(request, step="nothing"), **watching)
    return inside(request)


if __name__ == "__main__":
    _, builder, pipe = sys.argv
    settle()

    # Weak, as Celery's signals are by default, the handler would be gone at once.
    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def tell(**_: Any) -> None:
        os.write(int(pipe), b".")

    work(Settings.from_environment(), build={"inside": inside, "process": process}[builder])
