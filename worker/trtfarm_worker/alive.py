"""Lock files of this host's processes that run jobs: each holds its own for as long as it lives."""

from __future__ import annotations

from pathlib import Path

#: Prefixes of owners: workers take what comes, clients run only what they themselves submitted.
WORKER, CLIENT = "wrk", "cli"
_FOLDER = "alive"


def lock_files(home: Path) -> Path:
    """The folder of the files; each has the name under which its process claims jobs."""
    folder = home / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def worker_seen(home: Path) -> bool:
    """Whether a worker of this host is up, or has died and nobody found out yet; no database is asked."""
    return any((home / _FOLDER).glob(f"{WORKER}_*"))
