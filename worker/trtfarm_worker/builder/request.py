"""What a builder process is asked, within which limits, and what it gave back."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from trtfarm.errors import BuilderCrashError
from trtfarm.settings import Settings
from trtfarm_worker.gpus.turns import Turn
from trtfarm_worker.toolchains.toolchain import Toolchain


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a builder process and its descendants may use together."""

    #: Seconds that it may run, and that it may stay without sending an event.
    wall_seconds: float
    silent_seconds: float
    #: Bytes of memory of its own: anonymous, shared and swapped; mapped files are the page cache's.
    memory_bytes: int
    #: Bytes that any one file may have.
    file_bytes: int = 64 << 30
    #: Seconds between SIGTERM and SIGKILL.
    grace_seconds: float = 2.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            wall_seconds=settings.wall_seconds,
            silent_seconds=settings.silent_seconds,
            memory_bytes=settings.memory_bytes,
        )


@dataclass(frozen=True, kw_only=True)
class BuilderRequest:
    """One step for one process. `args` is JSON data; `scratch` becomes the process's current folder."""

    toolchain: Toolchain
    step: str
    args: Mapping[str, Any]
    limits: Limits
    scratch: Path
    #: The GPU that the process sees; without one it sees none.
    gpu: Turn | None = None


@dataclass(frozen=True, kw_only=True)
class BuilderAnswer:
    """The result of a step that ended well; the files it names lie in `scratch`."""

    result: Mapping[str, Any]
    scratch: Path
    #: What the process and its libraries printed.
    native_log: Path
    seconds: float
    #: The most memory seen; 0 when the process ended before the first look.
    peak_memory_bytes: int

    def file(self, key: str) -> Path:
        """The file that the result names under `key`; see `result_file`."""
        return result_file(self.scratch, self.result.get(key))


def result_file(scratch: Path, name: object) -> Path:
    """The path of a file that a builder named, relative to its scratch folder.

    Raises BuilderCrashError unless it is a regular file of its own inside of `scratch`: no `..`, no absolute path and
    no link at any level, because a builder that read a hostile model may itself be hostile.
    """
    if not isinstance(name, str):
        raise _astray("no file where one was due, but", name)
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise _astray("a file outside of its scratch folder:", name)
    file = scratch / relative
    folders = file.parents[: len(relative.parts) - 1] if len(relative.parts) > 1 else ()
    try:
        inside = all(stat.S_ISDIR(folder.lstat().st_mode) for folder in folders)
        facts = file.lstat()
    except (OSError, ValueError) as error:
        raise _astray("a file that cannot be read:", name) from error
    if not inside or not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
        raise _astray("what is no regular file of its own:", name)
    return file


def _astray(what: str, name: object) -> BuilderCrashError:
    return BuilderCrashError(
        f"the builder named {what} {name!r:.200}",
        cause="its memory may be corrupt, or its model be made to harm",
        remedy="look at where the model comes from, and at native.log",
    )
