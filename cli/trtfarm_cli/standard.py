"""Standard streams that are there: a process may be started without some of them (`>&-`, a careless daemon)."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

_STREAMS = 3


def fill_in() -> None:
    """Puts /dev/null in the place of missing ones; else the next file opened, the database, would have their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STREAMS:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no keywords
    os.close(descriptor)
    sys.stdout = sys.stdout or _writer(1)
    sys.stderr = sys.stderr or _writer(2)


def _writer(descriptor: int) -> TextIOWrapper:
    return os.fdopen(descriptor, "w", errors="backslashreplace", closefd=False)
