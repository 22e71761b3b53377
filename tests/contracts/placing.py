"""Who gets which job where jobs require labels and memory: the claim's SQL against the rule in Python."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tests.contracts.jobs import AHEAD_OF_TIME, ON_GPU
from trtfarm.database.clock import from_now
from trtfarm.database.schema import Base, WorkerRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.jobs.demand import demand
from trtfarm.jobs.job import Job
from trtfarm.jobs.manager import JobManager
from trtfarm.requirements import ANYWHERE, Requirements
from trtfarm.routing import CPU, Need, Opening, Station, fits

GPU, RTX = "tensorrt-8.5.3.1/sm_90", "tensorrt-rtx-1.7.1.116"
EXPECTED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow)
REQUESTS: dict[str, dict[str, str]] = {CPU: {}, RTX: AHEAD_OF_TIME, GPU: ON_GPU}
A1, B1 = Requirements(labels=("rack=a1",)), Requirements(labels=("rack=b1",))
_numbers = count()

#: Such that one is part of another, and that keys and values are each other's.
labels = st.lists(st.sampled_from(["a=b", "aa=b", "a=bb", "b=a", "rack=a1", "zone/x=a-1.b_2"]), unique=True, max_size=4)
needs = st.builds(
    lambda word, wanted, gib: Need(word, Requirements(labels=tuple(sorted(wanted)), gpu_memory_gib=gib)),
    st.sampled_from(sorted(REQUESTS)),
    labels,
    st.sampled_from([0, 0, 9, 10, 80, 100_000 - 1]),
).map(lambda need: need if need.capability == GPU else Need(need.capability, Requirements(labels=need.requires.labels)))
stations = st.builds(
    lambda has, gib: Station(labels=frozenset(has), gpu_memory=(("sm_90", gib),) if gib else ()),
    labels,
    st.sampled_from([0, 9, 10, 79, 80, 200_000]),
)
queued = st.lists(st.tuples(needs, st.sampled_from("ab"), st.integers(0, 2)), max_size=8)
offers = st.lists(st.sampled_from(sorted(REQUESTS)), unique=True)


class PlacingContract:
    """Run with a fixture `database`."""

    examples = 40

    @pytest.fixture
    def manager(self, database: Database) -> JobManager:
        return JobManager(database, lease_seconds=3600)

    def test_a_claim_takes_what_the_rule_allows_and_nothing_else(self, database: Database, manager: JobManager) -> None:
        @settings(max_examples=self.examples, suppress_health_check=EXPECTED)
        @given(jobs=queued, offered=offers, station=stations, most=st.sampled_from([1, 4]))
        def compare(jobs: Sequence[tuple[Need, str, int]], offered: Sequence[str], station: Station, most: int) -> None:
            _empty(database)
            made = [_queue(database, manager, need, project=who, priority=first) for need, who, first in jobs]
            assert set(manager.hints.needs()) == {job.need for job in made}
            mine = {job.id: job for job in made if fits(job.need, offered, station)}
            found = manager.look(offered, station).openings
            assert set(found) == {job.need.opening for job in mine.values()}
            assert len(found) == len(set(found))
            taken = list[Job]()
            for word in offered:
                while claims := manager.claim_several("worker", word, offered, station, most=most):
                    taken += (claim.job for claim in claims)
            assert {job.id for job in taken} == set(mine)
            if most == 1:
                _check_order(taken)

        compare()

    def test_a_job_for_elsewhere_holds_nobody_up(self, database: Database, manager: JobManager) -> None:
        """However urgent it is, and however long it waits."""
        _queue(database, manager, Need(CPU, B1), priority=9)
        anyones = _queue(database, manager, Need(CPU))
        here = Station(labels=frozenset({"rack=a1"}))
        claim = manager.claim_next("worker", CPU, (), here)
        assert claim is not None
        assert claim.job.id == anyones.id
        assert manager.claim_next("worker", CPU, (), here) is None
        assert manager.look([CPU], here).openings == []
        assert manager.look([CPU], Station(labels=frozenset({"rack=b1"}))).openings == [Opening(CPU)]

    def test_only_what_somebody_up_may_do_is_told_of(self, database: Database, manager: JobManager) -> None:
        one, other = (_queue(database, manager, Need(CPU, requires)) for requires in (A1, B1))
        assert [job.id for job in manager.hints.untold(0, [Need(CPU, A1)])] == [one.id]
        assert [job.id for job in manager.hints.untold(0, [Need(CPU, B1), Need(RTX, A1)])] == [other.id]
        assert manager.hints.untold(0, []) == []

    def test_demand_tells_kinds_apart(self, database: Database, manager: JobManager) -> None:
        for requires in (ANYWHERE, A1, A1, Requirements(labels=("rack=a1",), gpu_memory_gib=80)):
            _queue(database, manager, Need(GPU, requires))
        _worker(database, "wrk_a", labels=["rack=a1"], gpus=[_gpu(40), _gpu(24)], slots=3)
        _worker(database, "wrk_b", labels=[], gpus=[_gpu(80)], slots=5)
        found = [(one.labels, one.gpu_memory_gib, one.queued, one.slots) for one in demand(database)]
        assert found == [((), 0, 1, 8), (("rack=a1",), 0, 2, 3), (("rack=a1",), 80, 1, 0)]

    def test_a_job_that_two_want_runs_where_the_less_particular_would_have_it(
        self, database: Database, manager: JobManager
    ) -> None:
        job = _queue(database, manager, Need(CPU, A1))
        assert _again(database, manager, job, A1) == A1
        assert _again(database, manager, job, ANYWHERE) == ANYWHERE
        assert _again(database, manager, job, A1) == ANYWHERE

    def test_what_the_first_requires_stays_unless_nobody_has_it(self, database: Database, manager: JobManager) -> None:
        job = _queue(database, manager, Need(CPU, A1))
        assert _again(database, manager, job, B1) == A1  # nobody is up at all
        _worker(database, "wrk_a", labels=["rack=a1"])
        _worker(database, "wrk_b", labels=["rack=b1"])
        assert _again(database, manager, job, B1) == A1
        with database.write() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == "wrk_a"))
        assert _again(database, manager, job, B1) == B1

    def test_the_larger_need_of_memory_stays_unless_nobody_has_it(
        self, database: Database, manager: JobManager
    ) -> None:
        less, more = Requirements(gpu_memory_gib=8), Requirements(gpu_memory_gib=40)
        _worker(database, "wrk_a", gpus=[_gpu(40)])
        job = _queue(database, manager, Need(GPU, less))
        assert _again(database, manager, job, more) == more
        assert _again(database, manager, job, less) == more
        other = _queue(database, manager, Need(GPU, Requirements(gpu_memory_gib=80)))
        assert _again(database, manager, other, less) == less

    def test_what_it_requires_stays_with_a_job_that_is_tried_again(
        self, database: Database, manager: JobManager
    ) -> None:
        job = _queue(database, manager, Need(CPU, A1))
        claim = manager.claim(job.id, "worker")
        assert claim is not None
        assert manager.release(claim).requires == A1


def _check_order(taken: Sequence[Job]) -> None:
    """Of jobs that only their priority and age set apart, whatever they require."""
    for word in REQUESTS:
        for project in "ab":
            mine = [job for job in taken if (job.capability, job.project) == (word, project)]
            assert mine == sorted(mine, key=lambda job: (-job.priority, job.queued_at, job.id))


def _queue(database: Database, manager: JobManager, need: Need, **values: Any) -> Job:
    with database.write() as session:
        key, request = digest_of_json(["placing", next(_numbers)]), REQUESTS[need.capability]
        return manager.submit(session, kind="build", key=key, request=request, requires=need.requires, **values)[0]


def _again(database: Database, manager: JobManager, job: Job, requires: Requirements) -> Requirements:
    """What is required after somebody else wants the job, too."""
    with database.write() as session:
        again, made = manager.submit(session, kind="build", key=job.key, request=job.request, requires=requires)
    assert (again.id, made) == (job.id, False)
    return again.requires


def _gpu(gib: int) -> dict[str, Any]:
    return {"compute_capability": "sm_90", "memory_bytes": gib << 30, "out_of_service": None}


def _worker(database: Database, name: str, **values: Any) -> None:
    facts = {"host": name, "pid": 1, "toolchains": [], "slots": 1, "state": "ready", "capabilities": [CPU, GPU]}
    if "gpus" in values:
        facts["capabilities"] = [GPU]
    with database.write() as session:
        session.add(WorkerRow(id=name, lease_until=from_now(60), **{**facts, **values}))


def _empty(database: Database) -> None:
    with database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))
