"""Opening files whose names or kinds cannot be trusted: a pipe would block, a link would show another's file."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_DRIVE = re.compile(r"[A-Za-z]:")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for a writer.
_FILE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(path: Path) -> BinaryIO:
    """A regular file for reading, links followed; raises OSError, also when it is a folder, pipe or device."""
    return _regular(os.open(path, _FILE_FLAGS))


def is_file(name: str) -> bool:
    """Whether a name that a user typed, which may also be an id, is a file's; too long a name is none."""
    return os.path.isfile(name)  # noqa: PTH113 - Path.is_file raises for such


def relative_steps(text: str) -> tuple[str, ...]:
    """The folders and the file that an untrusted relative POSIX path names.

    Raises ValueError, saying how, when it could lead out of the folder that it is relative to.
    """
    steps = tuple(step for step in text.split("/") if step not in ("", "."))
    if text.startswith("/") or "\\" in text or "\0" in text or _DRIVE.match(text):
        raise ValueError("is not a relative path")
    if ".." in steps:
        raise ValueError("leads out of its folder")
    if not steps:
        raise ValueError("names no file")
    return steps


def open_below(folder: Path, steps: Sequence[str]) -> BinaryIO:
    """The regular file at `steps` below `folder`, opened without following any link below `folder`.

    Raises OSError: ENOENT when it is missing, ELOOP or ENOTDIR when a link stands in the way.
    """
    *folders, name = steps
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in folders:
            below = os.open(step, _FOLDER_FLAGS, dir_fd=here)
            os.close(here)
            here = below
        return _regular(os.open(name, _FILE_FLAGS | os.O_NOFOLLOW, dir_fd=here))
    finally:
        os.close(here)


def _regular(descriptor: int) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)
