"""The workers of a farm as its database knows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from trtfarm.catalog.lookup import find_one
from trtfarm.database.clock import from_now, now
from trtfarm.database.session import Database
from trtfarm.database.work import JobRow, WorkerRow
from trtfarm.errors import NotFoundError
from trtfarm.jobs.state import JobState
from trtfarm.routing import Need, Station, fits, station_of

#: Seconds after which the row of a worker that is gone is of no more use to anybody.
_FORGOTTEN_SECONDS = 24 * 3600.0
#: What of a toolchain is only of use on its host.
_OF_THE_HOST = frozenset({"python", "library_path", "python_path", "environment"})


class WorkerState(StrEnum):
    """Whether a worker takes jobs."""

    READY = "ready"
    #: Takes none until it is told to go on.
    PAUSED = "paused"
    #: Ends when those that it has are done.
    DRAINING = "draining"
    #: Took itself out, because job after job failed on it.
    QUARANTINED = "quarantined"
    #: Has ended. What it could do is known for a day, because workers are restarted and hosts come back.
    LEFT = "left"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker, as it was when its row was read; toolchains and GPUs are what it says of itself."""

    id: str
    host: str
    pid: int
    state: WorkerState
    #: Whether its lease has not run out.
    alive: bool
    slots: int
    capabilities: tuple[str, ...]
    toolchains: tuple[Mapping[str, Any], ...]
    gpus: tuple[Mapping[str, Any], ...]
    started: datetime
    lease_until: datetime
    labels: tuple[str, ...] = ()
    #: Bytes of its host's memory; None where it does not tell.
    memory_bytes: int | None = None
    #: Why it is in this state, where it took itself there.
    reason: str | None = None
    #: Its last heartbeat, and its release; None where an older release does not tell.
    heard: datetime | None = None
    version: str | None = None

    @property
    def ready(self) -> bool:
        return self.alive and self.state is WorkerState.READY

    @property
    def station(self) -> Station:
        """Where its jobs run."""
        in_service = [gpu for gpu in self.gpus if not gpu.get("out_of_service")]
        return station_of(self.labels, [(gpu["compute_capability"], gpu.get("memory_bytes", 0)) for gpu in in_service])

    def does(self, need: Need) -> bool:
        """Whether it may do a job that needs this, if it takes any."""
        return fits(need, self.capabilities, self.station)

    def as_dict(self, running: Mapping[str, int]) -> dict[str, Any]:
        """What is told of it, as plain data; `running` is how many jobs each worker has."""
        return {
            "id": self.id,
            "host": self.host,
            "state": self.state.value,
            "reason": self.reason,
            "alive": self.alive,
            "pid": self.pid,
            "slots": self.slots,
            "jobs": running.get(self.id, 0),
            "capabilities": list(self.capabilities),
            "toolchains": [elsewhere(toolchain) for toolchain in self.toolchains],
            "gpus": [dict(gpu) for gpu in self.gpus],
            "labels": list(self.labels),
            "memory_bytes": self.memory_bytes,
            "started": self.started.isoformat(),
            "lease_until": self.lease_until.isoformat(),
            "heard": self.heard.isoformat() if self.heard else None,
            "version": self.version,
        }


def state_word(state: str, *, alive: bool) -> str:
    """What a worker is in lists and figures: its state, or `silent` once its lease has run out before it ended."""
    return state if alive or state == WorkerState.LEFT else "silent"


def elsewhere(toolchain: Mapping[str, Any]) -> dict[str, Any]:
    """What a toolchain is to those who are not on its host."""
    return {name: value for name, value in toolchain.items() if name not in _OF_THE_HOST}


def list_workers(database: Database, *, left: bool = False) -> list[Worker]:
    """Those that are alive, by host and age; with `left` also those that fell silent or have ended within a day."""
    with database.read() as session:
        return known_workers(session, left=left)


def known_workers(session: Session, *, left: bool = False) -> list[Worker]:
    """The same within a transaction."""
    wanted = select(WorkerRow, WorkerRow.lease_until > now()).order_by(WorkerRow.host, WorkerRow.started, WorkerRow.id)
    if not left:
        wanted = wanted.where(WorkerRow.lease_until > now())
    return [_worker(row, alive=alive) for row, alive in session.execute(wanted)]


def worker_named(database: Database, text: str) -> Worker:
    """The worker whose id is or starts with `text`, also one that has gone. Raises NotFoundError, UsageError."""
    with database.read() as session:
        return _as_it_is(session, find_one(session, WorkerRow, text))


def ready_workers(database: Database) -> list[Worker]:
    return [worker for worker in list_workers(database) if worker.ready]


def slots_for(need: Need, workers: Iterable[Worker]) -> int:
    """How many jobs that need this such workers do at once, if they do nothing else."""
    return sum(worker.slots for worker in workers if worker.does(need))


def running_jobs(database: Database) -> dict[str, int]:
    """How many jobs each owner has."""
    running = select(JobRow.owner, func.count()).where(JobRow.state == JobState.RUNNING).group_by(JobRow.owner)
    with database.read() as session:
        return {str(owner): count for owner, count in session.execute(running)}


def state_of(database: Database, worker_id: str) -> WorkerState | None:
    """What a worker is to do now; None for one that was taken for dead."""
    with database.read() as session:
        state = session.scalar(select(WorkerRow.state).where(WorkerRow.id == worker_id))
        return None if state in (None, WorkerState.LEFT) else WorkerState(state)


def set_state(database: Database, text: str, state: WorkerState, reason: str | None = None) -> Worker:
    """Changes the state of the worker whose id is or starts with `text`; `reason` is its own.

    Raises NotFoundError, also for one that has ended, UsageError when several ids start so.
    """
    with database.write() as session:
        row = find_one(session, WorkerRow, text)
        if row.state == WorkerState.LEFT:
            raise NotFoundError(f"worker {row.id} has ended", remedy="trtfarm workers list tells who is up")
        session.execute(update(WorkerRow).where(WorkerRow.id == row.id).values(state=state.value, reason=reason))
        session.refresh(row)
        return _as_it_is(session, row)


def renew(session: Session, worker_id: str, seconds: float, **offered: Any) -> bool:
    """Notes that a worker is alive, and what it offers now; False for one that was forgotten."""
    renewed = update(WorkerRow).where(WorkerRow.id == worker_id).returning(WorkerRow.id)
    return session.scalar(renewed.values(lease_until=from_now(seconds), heard=now(), **offered)) is not None


def leave(session: Session, worker_id: str) -> None:
    """Notes that a worker has ended, or was found dead."""
    ended = update(WorkerRow).where(WorkerRow.id == worker_id)
    session.execute(ended.values(state=WorkerState.LEFT.value, lease_until=now()))


def succeed(session: Session, host: str, capabilities: Collection[str], labels: Collection[str] = ()) -> None:
    """Forgets those that ended on a host and had no more to offer than one that begins there now."""
    ended = session.scalars(
        select(WorkerRow).where(WorkerRow.host == host, WorkerRow.state == WorkerState.LEFT.value)
    ).all()
    ids = [row.id for row in ended if set(row.capabilities) <= set(capabilities) and set(row.labels) <= set(labels)]
    session.execute(delete(WorkerRow).where(WorkerRow.id.in_(ids)))


def forget_silent(session: Session) -> None:
    """Removes the rows of workers that have been gone for a day."""
    session.execute(delete(WorkerRow).where(WorkerRow.lease_until < from_now(-_FORGOTTEN_SECONDS)))


def _as_it_is(session: Session, row: WorkerRow) -> Worker:
    return _worker(row, alive=bool(session.scalar(select(WorkerRow.lease_until > now()).filter_by(id=row.id))))


def _worker(row: WorkerRow, *, alive: bool) -> Worker:
    return Worker(
        id=row.id,
        host=row.host,
        pid=row.pid,
        state=WorkerState(row.state),
        alive=alive,
        slots=row.slots,
        capabilities=tuple(row.capabilities),
        toolchains=tuple(row.toolchains),
        gpus=tuple(row.gpus),
        started=row.started,
        lease_until=row.lease_until,
        labels=tuple(row.labels),
        memory_bytes=row.memory_bytes,
        reason=row.reason,
        heard=row.heard,
        version=row.version,
    )
