"""What a job needs and a worker offers, in one word: the database matches the two.

`cpu` is what every worker can do. `tensorrt-rtx-1.7.1.116` is a toolchain that builds ahead of time, for any GPU and
without one. `tensorrt-8.5.3.1/sm_90` is a TensorRT with the kind of GPU that it builds for and runs on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Priorities of jobs go from its negative to this.
MOST_URGENT = 100
#: The worker's own interpreter, with ONNX Runtime.
CPU = "cpu"
#: The kind of toolchain that works on a GPU; for others, a compute capability only says what they build for.
_ON_GPU = "tensorrt"
_GPU_MARK = "/"
#: What brokers and file systems take in a name.
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")


def capability(toolchain: str, tensorrt: str, compute_capability: str | None) -> str:
    """The word for a kind of toolchain in one exact version, with a kind of GPU where it works on one."""
    word = f"{toolchain}-{tensorrt}"
    return f"{word}{_GPU_MARK}{compute_capability}" if toolchain == _ON_GPU else word


def needed(request: Mapping[str, Any]) -> str:
    """What a worker must offer to do a job: by its request's `toolchain`, `tensorrt` and `compute_capability`."""
    toolchain = request.get("toolchain")
    if toolchain is None:
        return CPU
    return capability(toolchain, request["tensorrt"], request.get("compute_capability"))


def gpu_of(word: str) -> str | None:
    """The compute capability of the GPU that a capability takes; None where it takes none."""
    return word.partition(_GPU_MARK)[2] or None


def toolchain_of(word: str) -> str:
    """A capability without the kind of GPU."""
    return word.partition(_GPU_MARK)[0]


def described(word: str) -> str:
    """A capability as people say it: `tensorrt-8.5.3.1 on sm_90`."""
    return word.replace(_GPU_MARK, " on ")


def queue_of(word: str) -> str:
    """The broker's queue for jobs that need a capability; safe for Redis, RabbitMQ and names of files."""
    return f"trtfarm.{_UNSAFE.sub('_', word)}"
