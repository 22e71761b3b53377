"""Where jobs that were claimed together work: folders below one that is locked by this process."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from trtfarm.farm import Farm
from trtfarm.jobs.job import Job


class Folders:
    """Made when a job needs them, and gone when the block ends. Making one raises OSError, StorageError."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def scratch(self, job: Job) -> Path:
        """A new folder, for what a job's builder writes."""
        folder = self._root / job.id
        folder.mkdir()
        return folder

    def inputs(self, job: Job) -> Path:
        """Where the jobs of a model read; not made yet."""
        return self._root / f"inputs-{job.request['model_id']}"

    @cached_property
    def _root(self) -> Path:
        return self._stack.enter_context(self._farm.scratch("jobs"))
