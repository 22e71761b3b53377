"""A process that runs jobs makes itself known, and is found out when it has died.

On its own host a process holds a lock file as long as it lives: the kernel lets go of the lock however the process
ends, so that its jobs need not wait for their leases. Other hosts see the row in `workers` and its lease.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import trtfarm
from trtfarm.database.clock import from_now, now
from trtfarm.database.schema import WorkerRow
from trtfarm.errors import StorageError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.ids import new_id
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.workers import WorkerState, leave, renew, succeed
from trtfarm_worker.alive import WORKER, lock_files
from trtfarm_worker.logs import logger
from trtfarm_worker.offers import Offer

_log = logger()

_BEATS_PER_LEASE = 3


class Presence:
    """The name under which a process claims jobs, alive from enter to exit."""

    def __init__(self, farm: Farm, role: str, *, offer: Callable[[], Offer] = Offer, slots: int = 1) -> None:
        """`offer` is asked again at every beat, because toolchains and GPUs come and go."""
        self.owner = new_id(role)
        self._farm = farm
        self._role = role
        self._offer = offer
        self._slots = slots
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="presence", daemon=True)
        self._lock = -1

    def __enter__(self) -> Self:
        # Locked before it has its name: a file of that name without a lock is a dead process.
        unnamed = lock_files(self._farm.settings.home) / f".{self.owner}"
        self._lock = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(unnamed.with_name(self.owner))
        if self._role == WORKER:
            forget_dead(self._farm)  # the one before, in this home, may have been killed
            offered = self._offered()
            with self._farm.database.write() as session:
                succeed(session, socket.gethostname(), offered["capabilities"], offered["labels"])
                self._register(session, offered)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        try:
            if self._role == WORKER:
                self._thread.join()
                with self._farm.database.write() as session:
                    leave(session, self.owner)
        except StorageError as failed:  # the file stays, so that whoever looks next finds a dead process
            _log.warning("nobody was told that the worker ended; its lease tells it", error=failed.message)
        else:
            (lock_files(self._farm.settings.home) / self.owner).unlink(missing_ok=True)
        os.close(self._lock)

    def _register(self, session: Session, offered: Mapping[str, Any]) -> None:
        session.add(
            WorkerRow(
                id=self.owner,
                host=socket.gethostname(),
                pid=os.getpid(),
                slots=self._slots,
                lease_until=from_now(self._farm.settings.lease_seconds),
                heard=now(),
                version=trtfarm.__version__,
                state=WorkerState.READY.value,
                **{"toolchains": [], **offered},
            )
        )

    def _offered(self) -> dict[str, Any]:
        """What the worker can do now, as columns of its row."""
        offer = self._offer()
        return {
            "toolchains": [toolchain.as_dict() for toolchain in offer.toolchains],
            "capabilities": offer.capabilities,
            "gpus": [status.as_dict() for status in offer.gpus],
            "labels": list(offer.labels),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        }

    def _renew(self) -> None:
        while not self._ended.wait(self._farm.settings.lease_seconds / _BEATS_PER_LEASE):
            try:
                self._beat()
            except StorageError as error:
                _log.warning("heartbeat not written, tried again", error=error.message)

    def _beat(self) -> None:
        offered: dict[str, Any] = {}
        try:
            offered = self._offered()
        except TrtfarmError as error:  # a toolchain's file cannot be read; the worker is alive all the same
            _log.warning("what the worker offers is not known", error=error.message, cause=error.cause)
        with self._farm.database.write() as session:
            if not renew(session, self.owner, self._farm.settings.lease_seconds, **offered):
                self._register(session, offered)  # it was silent for so long that it was forgotten


def workers_up(farm: Farm) -> int:
    """How many workers have renewed their lease; a worker of this host that has died does not count."""
    forget_dead(farm)
    with farm.database.read() as session:
        return session.scalar(select(func.count()).select_from(WorkerRow).where(WorkerRow.lease_until > now())) or 0


def forget_dead(farm: Farm) -> None:
    """Takes the jobs of this host's dead processes away from them at once.

    A client's death (Ctrl-C twice, a closed terminal) says nothing about its job, so the attempt does not count; a
    worker's may well be the job's fault, and does.
    """
    for path in lock_files(farm.settings.home).glob("[!.]*"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # ended in good order just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # alive
        else:
            _bury(farm, path)
        finally:
            os.close(descriptor)


def _bury(farm: Farm, path: Path) -> None:
    owner = path.name
    farm.jobs.abandon(owner, counts=owner.startswith(WORKER))
    if list_jobs(farm.database, state=JobState.RUNNING, owner=owner, limit=1):
        return  # another process is changing that job right now: the file stays, so that the next look takes it away
    with farm.database.write() as session:
        leave(session, owner)
    farm.sweep()
    path.unlink(missing_ok=True)
