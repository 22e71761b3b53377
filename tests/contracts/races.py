"""Several processes at once on one database."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from trtfarm.database import migrate
from trtfarm.database.schema import JobRow
from trtfarm.database.session import Database, open_database
from trtfarm.digests import digest_of_json
from trtfarm.jobs.history import events_since
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.sharing import Share
from trtfarm.projects import set_share
from trtfarm.routing import CPU, Need

PROCESSES = 3
JOBS = 24

_start: Barrier


def _set_start(barrier: Barrier) -> None:
    global _start  # noqa: PLW0603 - a barrier reaches a child only when the child begins
    _start = barrier


#: What `task(url, number)` returned in each of several processes that began together.
AtOnce = Callable[[Callable[[str, int], Any], str], list[Any]]


def _opened(url: str) -> tuple[Database, JobManager]:
    database = open_database(url)
    return database, JobManager(database, lease_seconds=3600)


def prepare_at_once(url: str, _number: int) -> str | None:
    database = open_database(url)
    _start.wait()
    migrate.prepare(database)
    with database.engine.connect() as connection:
        found = migrate.revision(connection)
    database.close()
    return found


def claim_by_hint(url: str, number: int) -> list[str]:
    """Every process is told of every job, as when a broker delivers twice."""
    database, manager = _opened(url)
    ids = [job.id for job in manager.hints.untold(0, [Need(CPU)])]
    _start.wait()
    won = [job_id for job_id in ids if manager.claim(job_id, f"worker {number}")]
    database.close()
    return won


def claim_in_turn(url: str, number: int) -> list[str]:
    database, manager = _opened(url)
    _start.wait()
    won = []
    while claim := manager.claim_next(f"worker {number}", CPU):
        won.append(claim.job.id)
    database.close()
    return won


def claim_for_limited(url: str, number: int) -> int:
    """Jobs of a project with a limit, and none of them ends."""
    database, manager = _opened(url)
    _start.wait()
    won = sum(manager.claim_next(f"worker {number}", CPU) is not None for _ in range(JOBS))
    database.close()
    return won


def submit_same(url: str, number: int) -> list[tuple[str, bool]]:
    database, manager = _opened(url)
    _start.wait()
    made = []
    for key in range(JOBS):
        with database.write() as session:
            job, new = manager.submit(session, kind="build", key=digest_of_json(key), request={"by": number})
        made.append((job.id, new))
    database.close()
    return made


def expire_all(url: str, _number: int) -> list[str]:
    database, manager = _opened(url)
    _start.wait()
    taken = [job.id for _ in range(3) for job in manager.expire()]
    database.close()
    return taken


def submit_and_finish(url: str, number: int) -> int:
    """Submits one key again and again and finishes whatever it can claim: leaders end while followers attach."""
    database, manager = _opened(url)
    _start.wait()
    finished = 0
    for _ in range(JOBS):
        with database.write() as session:
            job, _new = manager.submit(session, kind="build", key=digest_of_json("one"), request={})
        if claim := manager.claim(job.id, f"worker {number}"):
            with database.write() as session:
                manager.finish(session, claim, {"by": number})
            finished += 1
    database.close()
    return finished


class RaceContract:
    """Run with the fixtures `database`, `database_url` and `empty_database_url`."""

    @pytest.fixture(scope="class")
    @classmethod
    def at_once(cls) -> Iterator[AtOnce]:
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(PROCESSES)
        with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=_set_start, initargs=(barrier,)) as pool:
            # Every task waits for the others at the barrier, so each process gets one of them.
            yield lambda task, url: list(pool.map(task, [url] * PROCESSES, range(PROCESSES)))

    @pytest.fixture
    def manager(self, database: Database) -> JobManager:
        manager = JobManager(database, lease_seconds=-1)
        with database.write() as session:
            for key in range(JOBS):
                manager.submit(session, kind="build", key=digest_of_json(key), request={})
        return manager

    def test_the_first_use_by_several_makes_one_schema(self, at_once: AtOnce, empty_database_url: str) -> None:
        assert at_once(prepare_at_once, empty_database_url) == [migrate.HEAD] * PROCESSES

    @pytest.mark.parametrize("task", [claim_by_hint, claim_in_turn])
    def test_each_job_is_claimed_once(
        self, at_once: AtOnce, manager: JobManager, database_url: str, task: Callable[[str, int], list[str]]
    ) -> None:
        won = [job_id for ids in at_once(task, database_url) for job_id in ids]
        assert len(won) == len(set(won)) == JOBS
        assert all(manager.get(job_id).attempt == 1 for job_id in won)

    def test_the_limit_of_a_project_holds_however_many_ask(
        self, at_once: AtOnce, manager: JobManager, database: Database, database_url: str
    ) -> None:
        set_share(database, "default", Share(max_running=5))
        assert sum(at_once(claim_for_limited, database_url)) == 5

    def test_the_same_key_submitted_by_several_is_one_job(
        self, at_once: AtOnce, database: Database, database_url: str
    ) -> None:
        answers = at_once(submit_same, database_url)
        for key in zip(*answers, strict=True):
            assert len({job_id for job_id, _ in key}) == 1
            assert Counter(new for _, new in key)[True] == 1
        with database.read() as session:
            assert len(session.scalars(select(JobRow.id)).all()) == JOBS

    def test_a_lost_job_is_taken_away_once(self, at_once: AtOnce, manager: JobManager, database_url: str) -> None:
        while manager.claim_next("dead", CPU):
            pass
        taken = [job_id for ids in at_once(expire_all, database_url) for job_id in ids]
        assert len(taken) == len(set(taken)) == JOBS

    def test_attaching_to_a_job_that_just_ends_makes_a_new_one(
        self, at_once: AtOnce, database: Database, database_url: str
    ) -> None:
        finished = sum(at_once(submit_and_finish, database_url))
        with database.read() as session:
            jobs = session.scalars(select(JobRow)).all()
        assert len(jobs) >= finished > 0
        for job in jobs:
            ends = [event for event in events_since(database, job.id) if event.data["to"] == "done"]
            assert len(ends) == (job.state == "done")
