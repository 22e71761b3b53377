"""The interface of a kind of job. A new kind is a module with these two functions and a line in `registry.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from trtfarm.blobs.records import Stored
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.gpus.keeper import HeldGpu
from trtfarm_worker.toolchains.toolchain import Toolchain


@dataclass(frozen=True, kw_only=True)
class Task:
    """A claimed job with where it may work: `inputs` and `scratch` are folders of its own."""

    farm: Farm
    job: Job
    toolchains: tuple[Toolchain, ...]
    inputs: Path
    scratch: Path
    #: The one that the builder is to see; None for work on the CPU.
    gpu: HeldGpu | None = None
    #: What was stored for its result; clean-up is kept away from it before the result's rows name it.
    stored: list[Stored] = field(default_factory=list)
    #: Rows by class and id that were read for jobs which were claimed together.
    known: dict[tuple[type[Any], str], Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A step of the builder in a toolchain, with its arguments as plain JSON."""

    toolchain: Toolchain
    step: str
    args: Mapping[str, Any]


#: Writes the rows of a result in the transaction that ends the job; returns the job's result.
Commit = Callable[[Session], dict[str, Any]]


class StepKind(Protocol):
    """The two halves of a job around its builder process."""

    def prepare(self, task: Task) -> Invocation:
        """Fetches what the step reads into `task.inputs` and says what to run."""

    def keep(self, task: Task, answer: BuilderAnswer) -> Commit:
        """Stores the answer's files as blobs, and returns what writes the rows that name them."""
