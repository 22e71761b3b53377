"""How long a worker waits for its next job, by how many are queued, on SQLite and on a real PostgreSQL.

The limits are the project's own: 20 ms at the 95th percentile with 100,000 queued jobs, while 1,000 workers renew their
leases on PostgreSQL, and no growth beyond that of a logarithm. A claim is what a worker does: look for what it can do,
then take the job whose turn it is. The last line of each database is of as many jobs that each require a rack.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, insert, select, text, update

from benchmarks.heartbeats import beating, employ
from benchmarks.servers import postgresql
from benchmarks.sizes import size
from trtfarm.database.migrate import prepare
from trtfarm.database.session import Database, open_database, sqlite_url
from trtfarm.database.work import JobRow
from trtfarm.digests import digest_of_json
from trtfarm.jobs.job import Claim
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.queue import QUEUED
from trtfarm.jobs.state import JobState
from trtfarm.requirements import ANYWHERE, Requirements
from trtfarm.routing import NOWHERE, Station

_MOST = size("JOBS", 100_000)
_SIZES = (_MOST // 100, _MOST // 10, _MOST)
_WORKERS = size("WORKERS", 1_000)
_CLAIMS = 300
_LIMIT_SECONDS = 0.020
#: What a worker with a GPU offers; the queued jobs need these and one more.
_OFFERED = ("cpu", "tensorrt-rtx-1.7.1.116", "tensorrt-8.5.3.1/sm_90")
_NEEDED = (*_OFFERED, "tensorrt-8.5.3.1/sm_80")
_PRIORITIES = 5
#: Half of all jobs are the first one's.
_PROJECTS = 20
#: A worker is in one of so many racks.
_RACKS = 50
#: So many jobs in a row, of all projects and priorities, require the same rack.
_TOGETHER = _MOST // (2 * _RACKS)


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", sqlite_url(Path(folder) / "farm.db"), workers=0)
    with postgresql("claims") as url:
        _measure("PostgreSQL", url, workers=_WORKERS)


def _measure(name: str, url: str, *, workers: int) -> None:
    database = open_database(url)
    prepare(database)
    manager = JobManager(database)
    employed: list[Claim] = []
    if workers:
        _fill(database, 2 * workers)
        employed = employ(database, manager, workers, _OFFERED)
    p95 = []
    for jobs in _SIZES:
        _fill(database, jobs)
        p95.append(_claims(f"{name}, {jobs:7,} queued", manager))
        if employed:
            _fill(database, jobs)
            p95[-1] = _while_they_work(f"{name}, {jobs:7,} queued", manager, url, employed)
    with database.write() as session:
        session.execute(update(JobRow).where(QUEUED).values(state=JobState.CANCELLED))
    _fill(database, _MOST, racks=_RACKS)
    _claims(f"{name}, {_MOST:7,} queued for {_RACKS} racks", manager, Station(labels=frozenset({"rack=7", "zone=b"})))
    database.close()
    print(
        f"{name}: p95 of {p95[-1] * 1e3:.2f} ms (limit {_LIMIT_SECONDS * 1e3:.0f}), "
        f"{p95[-1] / p95[0]:.2f} times that of {_SIZES[0]:,} (a logarithm: {math.log(_SIZES[-1], _SIZES[0]):.2f})"
    )


def _while_they_work(what: str, manager: JobManager, url: str, employed: list[Claim]) -> float:
    with beating(url, employed) as managed:
        p95 = _claims(f"{what}, {len(employed):,} workers", manager)
    (beats,) = managed
    print(f"  meanwhile {beats.a_second:.0f} heartbeats a second, the 95th of a hundred {beats.late * 1e3:.0f} ms late")
    return p95


def _claims(what: str, manager: JobManager, station: Station = NOWHERE) -> float:
    """The 95th percentile of the seconds that claims take."""
    seconds = [_claim(manager, station) for _ in range(_CLAIMS)]
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(f"{what}: median {statistics.median(seconds) * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms", flush=True)
    return p95


def _claim(manager: JobManager, station: Station) -> float:
    begun = time.perf_counter()
    seen = manager.look(_OFFERED, station)
    capability = seen.openings[0].capability
    claims = manager.claim_several("worker", capability, _OFFERED, station, seen=seen)
    seconds = time.perf_counter() - begun
    if not claims:
        raise RuntimeError(f"nothing was left that needs {capability}")
    return seconds


def _fill(database: Database, jobs: int, *, racks: int = 0) -> None:
    """Adds jobs until so many are queued, each on its own, as they would come in."""
    with database.read() as session:
        every, queued = session.execute(select(func.count(), func.count().filter(QUEUED)).select_from(JobRow)).one()
    numbers = range(every, every + max(0, jobs - queued))
    made = [
        {
            "id": f"job_{number:08}",
            "kind": "build",
            "key": digest_of_json(number),
            "capability": _NEEDED[number % len(_NEEDED)],
            "requires": Requirements(labels=(f"rack={number // _TOGETHER % racks}",)) if racks else ANYWHERE,
            "request": {"number": number},
            "state": JobState.QUEUED,
            "attempt": 0,
            "max_attempts": 3,
            "priority": number // len(_NEEDED) % _PRIORITIES,
            "cancel_requested": False,
            "project": _project(number // len(_NEEDED)),
        }
        for number in numbers
    ]
    if made:
        with database.write() as session:
            session.execute(insert(JobRow), made)
    with database.write() as session:
        session.execute(text("ANALYZE"))


def _project(number: int) -> str:
    return f"project {0 if number % 2 else number // 2 % _PROJECTS}"
