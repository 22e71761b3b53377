"""The environment, read in this one place.

A plain dataclass rather than pydantic-settings: importing that costs more than a whole cache hit may take.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import platformdirs

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import UsageError
from trtfarm.requirements import MOST_LABELS, labels_of

_GIB = 1 << 30
#: Of any number here: seconds beyond have no date, and bytes of so many GiB no place in a column.
_MOST = 1e9


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a farm needs to know about where it runs; each field is a variable `TRTFARM_<NAME>`, memory there in GiB."""

    #: Everything that the embedded farm keeps: database, blobs, toolchains, scratch folders, broker messages.
    home: Path
    #: SQLAlchemy URL; SQLite in `home` unless set.
    database_url: str
    #: Folder or object store URL of the blobs.
    blob_url: str
    #: Celery broker; a folder in `home` unless set.
    broker_url: str
    #: File of the Ed25519 key that signs engines; one in `home`, made on first use, where None.
    signing_key: Path | None
    #: `key=value`, sorted: what jobs can require of this host, beside what it can do.
    worker_labels: tuple[str, ...]
    #: What `submit` builds for when no `--target` is given.
    targets: tuple[ComputeCapability, ...]
    #: Builder children at once on this host's CPUs; beside them, one on each GPU.
    slots: int
    #: Seconds that a worker's claim on a job holds without a heartbeat.
    lease_seconds: float
    #: Seconds that a builder child may run, and may stay without any event.
    wall_seconds: float
    silent_seconds: float
    #: Bytes of memory that a builder child and its descendants may use.
    memory_bytes: int
    #: Bytes of a GPU's memory that have to be free before a job is begun there.
    gpu_memory_bytes: int
    #: Attempts before a job that keeps dying is quarantined.
    max_attempts: int

    @property
    def scratch(self) -> Path:
        """Where folders for work in progress are made."""
        return self.home / "scratch"

    @property
    def own_database(self) -> Path | None:
        """The file of the database in `home`; None where another one is used."""
        file = _database_in(self.home)
        return file if self.database_url == _url_of(file) else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Reads `TRTFARM_*`; raises UsageError with the variable's name when a value cannot be used."""
        env = os.environ if environment is None else environment
        home = _home(env)
        return cls(
            home=home,
            database_url=env.get("TRTFARM_DATABASE_URL") or _url_of(_database_in(home)),
            blob_url=env.get("TRTFARM_BLOB_URL") or (home / "blobs").as_uri(),
            broker_url=env.get("TRTFARM_BROKER_URL") or "filesystem://",
            signing_key=_path(env, "TRTFARM_SIGNING_KEY"),
            worker_labels=_labels(env, "TRTFARM_WORKER_LABELS"),
            targets=_targets(env, "TRTFARM_TARGETS", "sm_86,sm_89"),
            slots=_count(env, "TRTFARM_SLOTS", 2),
            lease_seconds=_number(env, "TRTFARM_LEASE_SECONDS", 30, least=1),
            wall_seconds=_number(env, "TRTFARM_WALL_SECONDS", 4 * 3600, least=1),
            silent_seconds=_number(env, "TRTFARM_SILENT_SECONDS", 1800, least=1),
            memory_bytes=int(_number(env, "TRTFARM_MEMORY_GIB", 16, least=0.1) * _GIB),
            gpu_memory_bytes=int(_number(env, "TRTFARM_GPU_MEMORY_GIB", 2, least=0) * _GIB),
            max_attempts=_count(env, "TRTFARM_MAX_ATTEMPTS", 3),
        )


def _database_in(home: Path) -> Path:
    return home / "farm.db"


def _url_of(file: Path) -> str:
    return f"sqlite:///{quote(str(file))}"


def _home(env: Mapping[str, str]) -> Path:
    home = _path(env, "TRTFARM_HOME") or _users_own()
    try:
        str(home).encode()
    except UnicodeEncodeError as error:
        told = os.fsencode(home).decode(errors="backslashreplace")
        raise UsageError(
            f"the farm's home {told} cannot be used",
            cause="its name is not UTF-8, which the database's URL has to be",
            remedy="set TRTFARM_HOME to another folder",
        ) from error
    return home


def _users_own() -> Path:
    try:
        return platformdirs.user_data_path("trtfarm").absolute()
    except RuntimeError as error:  # clusters run containers as users that no file knows
        raise UsageError(
            "the user has no home folder", cause=str(error), remedy="set TRTFARM_HOME to a folder"
        ) from error


def _path(env: Mapping[str, str], name: str) -> Path | None:
    try:
        return Path(env[name]).expanduser().absolute() if env.get(name) else None
    except RuntimeError as error:
        told = f"{name}={env[name]} cannot be used"
        raise UsageError(told, cause=str(error), remedy="name a path without ~") from error


def _number(env: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= _MOST:
        raise UsageError(f"{name}={text} cannot be used", remedy=f"set {name} to a number from {least:g} to {_MOST:g}")
    return value


def _count(env: Mapping[str, str], name: str, default: int) -> int:
    value = _number(env, name, default, least=1)
    if value != int(value):
        raise UsageError(f"{name}={env[name]} cannot be used", remedy=f"set {name} to a whole number")
    return int(value)


def _labels(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    texts = [part.strip() for part in env.get(name, "").split(",") if part.strip()]
    try:
        return labels_of(texts, most=MOST_LABELS)
    except UsageError as error:
        raise UsageError(f"{name}={env[name]} cannot be used", cause=error.message, remedy=error.remedy) from error


def _targets(env: Mapping[str, str], name: str, default: str) -> tuple[ComputeCapability, ...]:
    text = env.get(name) or default
    try:
        targets = tuple(ComputeCapability.parse(part.strip()) for part in text.split(",") if part.strip())
    except UsageError as error:
        raise UsageError(f"{name}={text} cannot be used", cause=error.message, remedy=error.remedy) from error
    if not targets:
        raise UsageError(f"{name}={text} names no target", remedy=f"set {name} as in {default}, or unset it")
    return targets
