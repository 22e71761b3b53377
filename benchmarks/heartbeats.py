"""A thousand workers as the database sees them: each renews its lease, and that of the job that it does."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

import psycopg
from sqlalchemy import insert

from trtfarm.database.clock import from_now
from trtfarm.database.schema import WorkerRow
from trtfarm.database.session import Database, open_database
from trtfarm.jobs import rows
from trtfarm.jobs.job import Claim
from trtfarm.jobs.manager import JobManager
from trtfarm.settings import Settings
from trtfarm.workers import WorkerState, renew

#: As often as a worker does it (`trtfarm_worker.heartbeat`, `trtfarm_worker.presence`).
_JOB_SECONDS, _BEATS_PER_LEASE = 2.0, 3
_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Beats:
    """What the workers managed: how many beats, and how many seconds late the 95th of a hundred was."""

    a_second: float
    late: float


def employ(database: Database, manager: JobManager, count: int, offered: Sequence[str]) -> list[Claim]:
    """So many workers, with a job each."""
    names = [f"wrk_{number:05}" for number in range(count)]
    facts = {"host": "bench", "pid": 1, "toolchains": [], "gpus": [], "slots": 1, "state": WorkerState.READY.value}
    workers = [{"id": name, "capabilities": list(offered), "lease_until": from_now(3600), **facts} for name in names]
    with database.write() as session:
        for worker in workers:
            session.execute(insert(WorkerRow).values(**worker))
    claims = [manager.claim_next(name, manager.look(offered).openings[0].capability, offered) for name in names]
    return [claim for claim in claims if claim is not None]


@contextmanager
def beating(url: str, claims: Sequence[Claim]) -> Iterator[list[Beats]]:
    """Keeps the workers of these claims alive in a process of its own; the list has what they managed afterwards."""
    context = multiprocessing.get_context("spawn")
    ended, (mine, theirs) = context.Event(), context.Pipe(duplex=False)
    process = context.Process(target=_beat_all, args=(url, list(claims), ended, theirs), daemon=True)
    process.start()
    theirs.close()
    mine.recv()  # all of them have begun
    managed: list[Beats] = []
    try:
        yield managed
    finally:
        ended.set()
        managed.append(mine.recv())
        process.join()


def _beat_all(url: str, claims: list[Claim], ended: Event, told: Connection) -> None:
    database = open_database(url)
    late: list[float] = []
    threads = [
        threading.Thread(target=_beat, args=(database, claims[number::_THREADS], ended, late))
        for number in range(_THREADS)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    told.send("begun")
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begun
    database.close()
    told.send(Beats(a_second=len(late) / seconds, late=statistics.quantiles(late, n=20)[-1]))


def _beat(database: Database, claims: list[Claim], ended: Event, late: list[float]) -> None:
    """One round in two seconds, spread evenly over it; in every tenth or so a worker's own lease is due, too.

    What a worker asks is sent without SQLAlchemy, whose share a thousand hosts would have.
    """
    lease = Settings.from_environment({}).lease_seconds
    beats = [rows.renewed(claim, lease).compile(database.engine) for claim in claims]
    rounds = max(1, round(lease / _BEATS_PER_LEASE / _JOB_SECONDS))
    begun, number = time.monotonic(), 0
    with psycopg.connect(
        database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        while True:
            place = number % len(claims)
            due = begun + number * _JOB_SECONDS / len(claims)
            if ended.wait(max(0.0, due - time.monotonic())):
                return
            late.append(max(0.0, time.monotonic() - due))
            connection.execute(beats[place].string, beats[place].params, prepare=True)
            connection.commit()
            if number % rounds == 0:
                with database.write() as session:
                    renew(session, claims[place].owner, lease)
            number += 1
