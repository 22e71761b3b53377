"""What a job needs and a worker offers: the database matches the two, by the rule of `fits`.

What can be done is one word, a capability.

`cpu` is what every worker can do. `tensorrt-rtx-1.7.1.116` is a toolchain that builds ahead of time, for any GPU and
without one. `tensorrt-8.5.3.1/sm_90` is a TensorRT with the kind of GPU that it builds for and runs on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trtfarm.requirements import ANYWHERE, Requirements, whole_gib

#: Priorities of jobs go from its negative to this.
MOST_URGENT = 100
#: The worker's own interpreter, with ONNX Runtime.
CPU = "cpu"
#: The kind of toolchain that works on a GPU; for others, a compute capability only says what they build for.
_ON_GPU = "tensorrt"
_GPU_MARK = "/"
#: What brokers and file systems take in a name.
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
#: Characters of a capability or label in the name of a queue, which becomes part of the name of a file.
_LONGEST_PART = 60


class Need(NamedTuple):
    """What a worker must offer to do a job, and where it must be."""

    capability: str
    requires: Requirements = ANYWHERE

    def __str__(self) -> str:
        return " with ".join(filter(None, [described(self.capability), str(self.requires)]))

    @property
    def opening(self) -> Opening:
        """The place that its job takes."""
        return Opening(self.capability, self.requires.gpu_memory_gib)


class Opening(NamedTuple):
    """Work for a free worker: the capability that it takes, and a GPU of so many GiB or more."""

    capability: str
    gpu_memory_gib: int = 0


@dataclass(frozen=True, kw_only=True)
class Station:
    """Where a worker does its jobs: its labels, and the GiB of its largest GPU of each compute capability."""

    labels: frozenset[str] = frozenset()
    gpu_memory: tuple[tuple[str, int], ...] = ()

    def memory(self, capability: str) -> int:
        """GiB of the GPU that a capability takes here; 0 where it takes none."""
        return dict(self.gpu_memory).get(gpu_of(capability) or "", 0)


#: Without labels or GPUs.
NOWHERE = Station()


def station_of(labels: Iterable[str], gpus: Iterable[tuple[str, int]]) -> Station:
    """Where there are GPUs of these compute capabilities, with so many bytes of memory."""
    largest: dict[str, int] = {}
    for compute_capability, memory_bytes in gpus:
        largest[compute_capability] = max(whole_gib(memory_bytes), largest.get(compute_capability, 0))
    return Station(labels=frozenset(labels), gpu_memory=tuple(sorted(largest.items())))


def fits(need: Need, capabilities: Collection[str], station: Station) -> bool:
    """Whether a worker that offers these capabilities there may do a job; `jobs.look` asks the same in SQL."""
    return (
        need.capability in capabilities
        and station.labels.issuperset(need.requires.labels)
        and need.requires.gpu_memory_gib <= station.memory(need.capability)
    )


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


def queue_of(need: Need) -> str:
    """The broker's queue for jobs that need this; safe for Redis, RabbitMQ and names of files.

    Of several labels the first one counts, and memory does not: workers listen to few queues, and what they hear is no
    more than a hint.
    """
    return _queue(need.capability, *need.requires.labels[:1])


def queues_of(capabilities: Iterable[str], labels: Iterable[str]) -> list[str]:
    """The queues that a worker listens to."""
    suffixes = [(), *((label,) for label in labels)]
    return [_queue(word, *suffix) for word in capabilities for suffix in suffixes]


def _queue(*words: str) -> str:
    return ".".join(["trtfarm", *(_UNSAFE.sub("_", word)[:_LONGEST_PART] for word in words)])
