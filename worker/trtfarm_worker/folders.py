"""Where jobs that were claimed together work: folders below one that is locked by this process."""

from __future__ import annotations

import os
import shutil
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
        self._last: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def scratch(self, job: Job) -> Path:
        """An empty folder for what a job's builder writes.

        That of the job before, if there is nothing left in it that cannot be removed: to make and remove a folder for
        each takes longer than a light job, as a file system does not give an inode away again at once.
        """
        folder = self._root / job.id
        if self._last is not None and _emptied(self._last):
            self._last.rename(folder)
        else:
            folder.mkdir()
        self._last = folder
        return folder

    @cached_property
    def kept(self) -> Path:
        """For what is left of jobs that are done, until all of them are committed."""
        folder = self._root / "kept"
        folder.mkdir()
        return folder

    def inputs(self, job: Job) -> Path:
        """Where the jobs of a model read; not made yet."""
        return self._root / f"inputs-{job.request['model_id']}"

    @cached_property
    def _root(self) -> Path:
        return self._stack.enter_context(self._farm.scratch("jobs"))


def _emptied(folder: Path) -> bool:
    """Removes what a builder left there; False where that does not go, as builders may leave anything."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)  # noqa: PTH108 - a Path for each takes longer
    except OSError:
        return False
    return True
