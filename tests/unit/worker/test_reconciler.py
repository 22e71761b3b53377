"""A database that was away for longer than a lease, and is back: whose jobs are taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.contracts.submission_bench import Bench
from trtfarm.database.clock import from_now
from trtfarm.database.schema import JobRow
from trtfarm.database.session import Database
from trtfarm.errors import StorageError
from trtfarm.jobs.hints import Queued
from trtfarm.jobs.job import Claim
from trtfarm.jobs.lenience import Lenience
from trtfarm.jobs.state import JobState
from trtfarm_worker import committing
from trtfarm_worker.reconciler import put_right
from trtfarm_worker.stopping import Stopping

_LEASE = 30.0


class Rounds:
    """The reconciler's, at times that the test says."""

    def __init__(self, bench: Bench) -> None:
        self.now = 1000.0
        self._bench = bench
        self._lenience = Lenience(_LEASE, clock=lambda: self.now)

    def go_on(self, seconds: float) -> None:
        """A round every other second, as ever."""
        for _ in range(int(seconds / 2)):
            self.now += 2
            put_right(self._bench.farm, _nobody, self._lenience)


def _nobody(job: Queued) -> bool:
    return True


@contextmanager
def away(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def write() -> None:
        raise StorageError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", write)
        yield


def _run_out(database: Database) -> None:
    with database.write() as session:
        session.execute(update(JobRow).values(lease_until=from_now(-1)))


def _claimed(bench: Bench, model: str) -> Claim:
    bench.submit(bench.request(bench.model()))
    claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, model)
    assert claim is not None
    return claim


def test_who_was_cut_off_with_it_keeps_its_job_and_who_died_meanwhile_does_not(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(database, tmp_path)
    rounds = Rounds(bench)
    rounds.go_on(2 * _LEASE)
    alive, dead = _claimed(bench, "alive"), _claimed(bench, "dead")
    with away(database, monkeypatch), pytest.raises(StorageError):
        rounds.go_on(2)
    rounds.now += 10 * _LEASE
    _run_out(database)
    rounds.go_on(_LEASE)
    assert bench.farm.jobs.beat(alive) is False
    rounds.go_on(4)
    assert [bench.farm.jobs.get(claim.job.id).state for claim in (alive, dead)] == [JobState.RUNNING, JobState.QUEUED]
    committing.commit_all(bench.farm, [bench.work(alive)], Stopping())
    assert bench.farm.jobs.get(alive.job.id).state is JobState.DONE


def test_a_lease_that_runs_out_while_it_is_there_counts_at_once(database: Database, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path)
    rounds = Rounds(bench)
    rounds.go_on(_LEASE - 2)
    claim = _claimed(bench, "killed")
    _run_out(database)
    rounds.go_on(2)
    assert bench.farm.jobs.get(claim.job.id).state is JobState.RUNNING  # the reconciler has only begun
    rounds.go_on(2)
    assert bench.farm.jobs.get(claim.job.id).state is JobState.QUEUED


def test_a_result_that_comes_after_the_job_was_given_to_another_is_left_out(database: Database, tmp_path: Path) -> None:
    """The database was away for longer than the reconciler has patience: what was made twice is kept once."""
    bench = Bench(database, tmp_path)
    late = _claimed(bench, "late")
    _run_out(database)
    assert [job.id for job in bench.farm.jobs.expire()] == [late.job.id]
    again = bench.farm.jobs.claim(late.job.id, "other")
    assert again is not None
    committing.commit_all(bench.farm, [bench.work(late)], Stopping())
    job = bench.farm.jobs.get(late.job.id)
    assert (job.state, job.owner, job.attempt) == (JobState.RUNNING, "other", 2)
    committing.commit_all(bench.farm, [bench.work(again)], Stopping())
    assert bench.farm.jobs.get(late.job.id).state is JobState.DONE
