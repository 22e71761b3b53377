"""What a project can rely on while others have jobs queued, on any database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from tests.contracts.jobs import AHEAD_OF_TIME, ON_GPU, finish
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import UsageError
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.sharing import Share
from trtfarm.projects import Project, list_projects, set_share
from trtfarm.routing import CPU

RTX = "tensorrt-rtx-1.7.1.116"
#: The fixtures are clean enough for each example, and several classes run the same contract.
EXPECTED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
#: Sizes of what four projects queue before workers come, and after how many claims another job of some comes.
loads = st.lists(st.integers(0, 6), min_size=4, max_size=4)
arrivals = st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abcd")), max_size=6)


class SharingContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def manager(self, database: Database) -> JobManager:
        return JobManager(database, lease_seconds=3600)

    def test_one_job_does_not_wait_behind_all_of_another_project(self, database: Database, manager: JobManager) -> None:
        _queue(database, manager, "many", 40, priority=9)
        first = _next(manager)
        _queue(database, manager, "one", 1)
        assert [_next(manager).job.project for _ in range(3)] == ["one", "many", "many"]
        assert first.job.turn == 0

    def test_one_worker_takes_turns(self, database: Database, manager: JobManager) -> None:
        set_share(database, "heavy", Share(weight=3))
        for project in ("heavy", "light"):
            _queue(database, manager, project, 12)
        assert Counter(_done(database, manager) for _ in range(12)) == {"heavy": 9, "light": 3}

    def test_what_runs_is_shared_out_by_weight(self, database: Database, manager: JobManager) -> None:
        set_share(database, "heavy", Share(weight=2))
        for project in ("heavy", "light", "other"):
            _queue(database, manager, project, 10)
        assert Counter(_next(manager).job.project for _ in range(8)) == {"heavy": 4, "light": 2, "other": 2}

    def test_several_at_once_are_shared_as_one_after_another(self, database: Database, manager: JobManager) -> None:
        set_share(database, "heavy", Share(weight=3))
        for project in ("heavy", "light", "other"):
            _queue(database, manager, project, 20)
        together = manager.claim_several("worker", CPU, most=10)
        assert Counter(claim.job.project for claim in together) == {"heavy": 6, "light": 2, "other": 2}
        assert Counter(_next(manager).job.project for _ in range(5)) == {"heavy": 3, "light": 1, "other": 1}
        for claim in together:
            told = [line.data for line in events_since(database, claim.job.id)]
            assert told == [{"to": "queued"}, {"from": "queued", "to": "running", "owner": "worker"}]

    def test_what_was_seen_spares_a_look(self, database: Database, manager: JobManager) -> None:
        jobs = _queue(database, manager, "a", 3)
        seen = manager.look([CPU])
        with _statements(database) as said:
            (claim,) = manager.claim_several("worker", CPU, seen=seen)
        assert claim.job.id == jobs[0].id
        assert not any("queues" in statement for statement in said)

    def test_a_turn_that_was_seen_and_then_taken_is_not_taken_again(
        self, database: Database, manager: JobManager
    ) -> None:
        """Or as many workers as look at the same time would all go to the same project."""
        for project in "ab":
            _queue(database, manager, project, 3)
        seen = manager.look([CPU])
        assert _next(manager).job.project == "a"
        (claim,) = manager.claim_several("worker", CPU, seen=seen)
        assert claim.job.project == "b"

    def test_what_was_seen_is_no_way_round_a_limit(self, database: Database, manager: JobManager) -> None:
        set_share(database, "a", Share(max_running=1))
        _queue(database, manager, "a", 3)
        seen = manager.look([CPU])
        assert _next(manager).job.project == "a"
        assert manager.claim_several("worker", CPU, seen=seen) == []

    def test_priorities_order_the_jobs_of_a_project(self, database: Database, manager: JobManager) -> None:
        urgent = [_queue(database, manager, "a", 1, priority=priority)[0].id for priority in (1, 5, 3)]
        _queue(database, manager, "b", 3, priority=9)
        mine = [claim.job.id for claim in (_next(manager) for _ in range(6)) if claim.job.project == "a"]
        assert mine == [urgent[1], urgent[2], urgent[0]]

    def test_all_that_a_worker_could_do_counts(self, database: Database, manager: JobManager) -> None:
        """Or a project would have the more of it, the more kinds of jobs it has."""
        offered = [CPU, RTX]
        _queue(database, manager, "both", 10)
        _queue(database, manager, "both", 10, **AHEAD_OF_TIME)
        _queue(database, manager, "one", 10)
        taken: Counter[str] = Counter()
        for _ in range(8):
            claim = manager.claim_next("worker", manager.look(offered).openings[0].capability, offered)
            assert claim is not None
            taken[claim.job.project] += 1
        assert taken == {"both": 4, "one": 4}

    def test_jobs_that_this_worker_cannot_do_are_no_reason_to_wait(
        self, database: Database, manager: JobManager
    ) -> None:
        """Somebody who has all GPUs for a day still gets its share of the CPUs."""
        _queue(database, manager, "gpus", 5, **ON_GPU)
        while manager.claim_next("worker", "tensorrt-8.5.3.1/sm_90"):
            pass
        _queue(database, manager, "cpus", 10)
        _queue(database, manager, "gpus", 10)
        assert Counter(_next(manager).job.project for _ in range(6)) == {"cpus": 3, "gpus": 3}

    def test_a_limit_holds_until_a_job_ends(self, database: Database, manager: JobManager) -> None:
        set_share(database, "a", Share(max_running=2))
        _queue(database, manager, "a", 5)
        held = [_next(manager), _next(manager)]
        assert manager.claim_next("worker", CPU) is None
        assert manager.look([CPU]).openings == []
        _queue(database, manager, "b", 1)
        assert _next(manager).job.project == "b"
        finish(database, manager, held[0])
        assert _next(manager).job.project == "a"

    def test_a_limit_is_for_workers_and_not_for_a_client_that_does_its_own(
        self, database: Database, manager: JobManager
    ) -> None:
        set_share(database, "a", Share(max_running=1))
        jobs = _queue(database, manager, "a", 2)
        assert all(manager.claim(job.id, "client") for job in jobs)

    def test_a_job_that_two_want_waits_where_fewer_are_before_it(self, database: Database, manager: JobManager) -> None:
        many = _queue(database, manager, "many", 10)
        _queue(database, manager, "few", 1)
        for job in (many[0], many[-1]):
            _want(database, manager, "few", job.key)
        assert [manager.get(job.id).project for job in (many[0], many[-1])] == ["many", "few"]
        order = [_next(manager).job.id for _ in range(4)]
        assert many[-1].id in order

    def test_a_job_that_runs_stays_whose_it_is(self, database: Database, manager: JobManager) -> None:
        _queue(database, manager, "a", 1)
        claim = _next(manager)
        _want(database, manager, "b", claim.job.key)
        assert manager.get(claim.job.id).project == "a"

    def test_projects_tell_what_they_have(self, database: Database, manager: JobManager) -> None:
        set_share(database, "a", Share(weight=4, max_running=7))
        _queue(database, manager, "b", 3)
        _next(manager)
        assert list_projects(database) == [
            Project(name="a", weight=4, max_running=7, queued=0, running=0),
            Project(name="b", weight=1, max_running=None, queued=2, running=1),
            Project(name="default", weight=1, max_running=None, queued=0, running=0),
        ]
        assert set_share(database, "a", Share()) == Project(name="a", weight=1, max_running=None, queued=0, running=0)

    @pytest.mark.parametrize("share", [Share(weight=0), Share(weight=101), Share(max_running=0)])
    def test_a_share_that_cannot_be(self, database: Database, share: Share) -> None:
        with pytest.raises(UsageError):
            set_share(database, "a", share)
        with pytest.raises(UsageError):
            set_share(database, " ", Share())

    @settings(max_examples=8, suppress_health_check=EXPECTED)
    @given(loads=loads, arrivals=arrivals)
    def test_nobody_is_passed_over_more_than_twice_by_another(
        self, database: Database, manager: JobManager, loads: list[int], arrivals: list[tuple[int, str]]
    ) -> None:
        """One worker, whose jobs end before it asks again: then every project always runs nothing."""
        while manager.claim_next("last run", CPU):
            pass
        manager.abandon("last run", counts=False)
        while claim := manager.claim_next("last run", CPU):
            finish(database, manager, claim)
        left = Counter(dict(zip("abcd", loads, strict=True)))
        for project, jobs in left.items():
            _queue(database, manager, project, jobs)
        passed: dict[str, Counter[str]] = {project: Counter() for project in left}
        for number in range(sum(loads)):
            for project in (project for when, project in arrivals if when == number):
                _queue(database, manager, project, 1)
                left[project] += 1
            taken = _done(database, manager)
            left[taken] -= 1
            passed[taken].clear()
            for project in left:
                passed[project][taken] += project != taken and left[project] > 0
                assert passed[project][taken] <= 2


_numbers = iter(range(1 << 40))


@contextmanager
def _statements(database: Database) -> Iterator[list[str]]:
    """What is said to the database meanwhile."""
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(database.engine, "before_cursor_execute", hear)
    yield said
    event.remove(database.engine, "before_cursor_execute", hear)


def _queue(database: Database, manager: JobManager, project: str, jobs: int, **values: int | str) -> list[Job]:
    priority = int(values.pop("priority", 0))
    keys = [digest_of_json(["sharing", next(_numbers)]) for _ in range(jobs)]
    with database.write() as session:
        return [
            manager.submit(session, kind="build", key=key, request=values, priority=priority, project=project)[0]
            for key in keys
        ]


def _want(database: Database, manager: JobManager, project: str, key: str) -> None:
    with database.write() as session:
        _job, made = manager.submit(session, kind="build", key=key, request={}, project=project)
    assert not made


def _next(manager: JobManager) -> Claim:
    claim = manager.claim_next("worker", CPU)
    assert claim is not None
    return claim


def _done(database: Database, manager: JobManager) -> str:
    claim = _next(manager)
    finish(database, manager, claim)
    return claim.job.project
