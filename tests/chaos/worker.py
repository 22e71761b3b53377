"""A worker that has a second TensorRT-RTX, whose builds take but a moment; all else it does as `trtfarm worker` does.

Jobs that take but a moment are claimed, done and committed several at once, and no real build is as quick.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from benchmarks.trivial_worker import inside
from tests.chaos.material import LIGHT_TENSORRT
from trtfarm.settings import Settings
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.celery_worker import work
from trtfarm_worker.staying import settle

#: Short enough for several at once, and long enough for somebody to strike meanwhile.
_BUILD_SECONDS = 0.05


def build(request: BuilderRequest, **watching: Any) -> BuilderAnswer:
    if request.toolchain.version != LIGHT_TENSORRT:
        return run_builder(request, **watching)
    time.sleep(_BUILD_SECONDS)
    answer = inside(request)
    return replace(answer, result={**answer.result, "tensorrt": LIGHT_TENSORRT}, seconds=_BUILD_SECONDS)


if __name__ == "__main__":
    settle()
    work(Settings.from_environment(), build=build)
