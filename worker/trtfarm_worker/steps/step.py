"""The interface of a kind of job. A new kind is a module with these two functions and a line in `registry.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from trtfarm.blobs.made import MadeFile
from trtfarm.database.base import Base
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.gpus.keeper import HeldGpu
from trtfarm_worker.steps.shared import Shared
from trtfarm_worker.toolchains.toolchain import Toolchain


@dataclass(frozen=True, kw_only=True)
class Task:
    """A claimed job with where it may work: `scratch` is its own until the attempt ends.

    `inputs` is where it reads. It is made by the first file that is fetched; jobs of the same model that were claimed
    together read there one after the other. In `kept` is what will be in blobs when the result is committed.
    """

    farm: Farm
    job: Job
    toolchains: tuple[Toolchain, ...]
    inputs: Path
    scratch: Path
    kept: Path
    #: The one that the builder is to see; None for work on the CPU.
    gpu: HeldGpu | None = None
    #: What the rows of its result name; these become blobs when the rows are written.
    made: list[MadeFile] = field(default_factory=list)
    #: What was read for jobs that were claimed together.
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A step of the builder in a toolchain, with its arguments as plain JSON."""

    toolchain: Toolchain
    step: str
    args: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """A row of a result: there is one for each key, which is among the values, as is the id that it gets if new."""

    kind: type[Base]
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The rows that a job gives; they are written in the transaction that ends it."""

    rows: Sequence[ResultRow]
    #: Under this word the job's result has the id of the first row, and beside it this.
    id_name: str
    more: Mapping[str, Any] = field(default_factory=dict)
    #: What whoever follows the job is warned of.
    warnings: Sequence[str] = ()


class StepKind(Protocol):
    """The two halves of a job around its builder process."""

    def prepare(self, task: Task) -> Invocation:
        """Fetches what the step reads into `task.inputs` and says what to run."""

    def keep(self, task: Task, answer: BuilderAnswer) -> Outcome:
        """Stores the answer's files as blobs, and returns the rows that name them."""
