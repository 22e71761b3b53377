"""What the job manager promises, on any database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.contracts.rows import model_row
from trtfarm.database.clock import from_now
from trtfarm.database.schema import ModelRow, WorkerRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import (
    BuilderCancelledError,
    BuilderMemoryError,
    ClaimLostError,
    ModelError,
    NotFoundError,
    UsageError,
)
from trtfarm.jobs.hints import Queued
from trtfarm.jobs.history import events_since, record
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.reconcile import reconcile
from trtfarm.jobs.state import JobState
from trtfarm.routing import CPU, Need, Opening

CRASH = BuilderMemoryError("the builder was killed by the kernel")
BAD_MODEL = ModelError("the model is truncated")


#: Requests that name what the job is to be built with.
AHEAD_OF_TIME = {"toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116", "compute_capability": "sm_86"}
ON_GPU = {"toolchain": "tensorrt", "tensorrt": "8.5.3.1", "compute_capability": "sm_90"}


def submit(
    database: Database, manager: JobManager, name: str, *, priority: int = 0, **request: str
) -> tuple[Job, bool]:
    with database.write() as session:
        wanted = {"name": name, **request}
        return manager.submit(session, kind="build", key=digest_of_json(name), request=wanted, priority=priority)


def submitted(database: Database, manager: JobManager, name: str = "a", **options: Any) -> Job:
    return submit(database, manager, name, **options)[0]


def claimed(database: Database, manager: JobManager, name: str = "a") -> Claim:
    claim = manager.claim(submitted(database, manager, name).id, "worker")
    assert claim is not None
    return claim


def finish(database: Database, manager: JobManager, claim: Claim, **result: Any) -> Job:
    with database.write() as session:
        return manager.finish(session, claim, result)


def _on_cpus(need: Need) -> int:
    """The slots of workers without GPUs."""
    return 3 if need.capability == CPU else 0


class JobContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def manager(self, database: Database) -> JobManager:
        return JobManager(database, lease_seconds=3600, max_attempts=3)

    @pytest.fixture
    def doomed(self, database: Database) -> JobManager:
        """A manager whose leases have run out the moment they are given."""
        return JobManager(database, lease_seconds=-1, max_attempts=3)

    def test_a_job_runs_once(self, database: Database, manager: JobManager) -> None:
        job, made = submit(database, manager, "a")
        assert made
        assert (job.state, job.attempt, job.created.tzinfo is not None) == (JobState.QUEUED, 0, True)
        claim = manager.claim(job.id, "worker 1")
        assert claim is not None
        assert (claim.job.state, claim.attempt, claim.job.owner) == (JobState.RUNNING, 1, "worker 1")
        assert manager.claim(job.id, "worker 2") is None
        done = finish(database, manager, claim, engine_id="eng_1")
        assert (done.state, done.result, done.lease_until) == (JobState.DONE, {"engine_id": "eng_1"}, None)
        assert done == manager.get(job.id)
        assert manager.claim(job.id, "worker 2") is None

    def test_a_live_key_has_one_job_and_an_ended_one_starts_anew(self, database: Database, manager: JobManager) -> None:
        first, _ = submit(database, manager, "a")
        again, made = submit(database, manager, "a")
        assert (again.id, made) == (first.id, False)
        finish(database, manager, claimed(database, manager))
        later, made = submit(database, manager, "a")
        assert made
        assert later.id != first.id

    def test_submitting_again_raises_the_priority_and_never_lowers_it(
        self, database: Database, manager: JobManager
    ) -> None:
        submitted(database, manager, priority=1)
        assert submitted(database, manager, priority=5).priority == 5
        assert submitted(database, manager, priority=2).priority == 5

    def test_submitting_again_withdraws_a_cancellation(self, database: Database, manager: JobManager) -> None:
        claim = claimed(database, manager)
        manager.cancel(claim.job.id)
        assert manager.beat(claim)
        submitted(database, manager)
        assert not manager.beat(claim)

    def test_a_stop_that_was_withdrawn_while_it_was_made_is_no_end(
        self, database: Database, manager: JobManager
    ) -> None:
        claim = claimed(database, manager)
        manager.cancel(claim.job.id)
        submitted(database, manager)
        assert manager.fail(claim, BuilderCancelledError("stopped")).state is JobState.QUEUED

    def test_the_highest_priority_goes_first_then_the_oldest(self, database: Database, manager: JobManager) -> None:
        names = {"low": 0, "first": 5, "second": 5, "top": 9}
        ids = {submitted(database, manager, name, priority=priority).id: name for name, priority in names.items()}
        order = []
        while claim := manager.claim_next("worker", CPU):
            order.append(ids[claim.job.id])
        assert order == ["top", "first", "second", "low"]

    def test_a_job_is_for_those_who_offer_what_it_needs(self, database: Database, manager: JobManager) -> None:
        submitted(database, manager, "here")
        job = submitted(database, manager, "there", **ON_GPU)
        assert job.capability == "tensorrt-8.5.3.1/sm_90"
        assert manager.claim_next("worker", "tensorrt-8.5.3.1/sm_80") is None
        claim = manager.claim_next("worker", "tensorrt-8.5.3.1/sm_90")
        assert claim is not None
        assert claim.job.id == job.id
        assert manager.claim_next("worker", "tensorrt-8.5.3.1/sm_90") is None

    def test_the_most_urgent_of_all_that_a_worker_can_do_goes_first(
        self, database: Database, manager: JobManager
    ) -> None:
        can = [CPU, "tensorrt-rtx-1.7.1.116", "tensorrt-10.3.0.26/sm_90"]
        assert manager.look(can).openings == manager.look([]).openings == []
        submitted(database, manager, "older")
        submitted(database, manager, "ahead", **AHEAD_OF_TIME)
        submitted(database, manager, "elsewhere", priority=9, **ON_GPU)
        assert manager.look(can).openings == [Opening(CPU), Opening("tensorrt-rtx-1.7.1.116")]
        submitted(database, manager, "urgent", priority=5, **AHEAD_OF_TIME)
        assert manager.look(can).openings == [Opening("tensorrt-rtx-1.7.1.116"), Opening(CPU)]
        assert manager.look(["tensorrt-8.5.3.1/sm_90"]).openings == [Opening("tensorrt-8.5.3.1/sm_90")]
        while manager.claim_next("worker", CPU):
            pass
        assert manager.look(can).openings == [Opening("tensorrt-rtx-1.7.1.116")]

    def test_several_are_claimed_in_their_order_and_no_more_than_are_left_for_each_worker(
        self, database: Database, manager: JobManager
    ) -> None:
        jobs = [submitted(database, manager, str(number)).id for number in range(12)]
        workers = [f"wrk_{number}" for number in range(3)]
        facts = {"host": "h", "pid": 1, "toolchains": [], "slots": 1, "state": "ready", "lease_until": from_now(60)}
        with database.write() as session:
            session.add_all(WorkerRow(id=worker, **facts) for worker in workers)
        claims = manager.claim_several(workers[0], CPU, most=8)
        assert [claim.job.id for claim in claims] == jobs[:4]  # of 11 that were left, 3 for each
        assert [claim.job.started is None for claim in claims] == [False, True, True, True]
        assert len(manager.claim_several(workers[1], CPU, most=2)) == 2
        assert len(manager.claim_several(workers[2], CPU)) == 1
        assert len(manager.claim_several(workers[0], CPU, most=8, anyway=4)) == 4  # of 4 that were left, 1 for each

    def test_what_waited_for_another_job_of_a_dead_worker_was_not_tried(
        self, database: Database, manager: JobManager, doomed: JobManager
    ) -> None:
        for name in "abc":
            submitted(database, manager, name)
        begun, waited, late = doomed.claim_several("worker", CPU, most=8)
        doomed.begun(late)
        doomed.expire()
        left = {claim.job.id: manager.get(claim.job.id) for claim in (begun, waited, late)}
        assert [job.max_attempts - job.attempt for job in left.values()] == [2, 3, 2]
        # It may have been the one that killed the worker: next time it is claimed first, and counts.
        assert [len(manager.claim_several("worker", CPU, most=8)) for _ in range(3)] == [1, 1, 1]

    def test_the_users_fault_fails_at_once(self, database: Database, manager: JobManager) -> None:
        job = manager.fail(claimed(database, manager), BAD_MODEL)
        assert (job.state, job.error) == (JobState.FAILED, BAD_MODEL.as_dict())

    def test_the_farms_fault_is_tried_again_up_to_the_limit(self, database: Database, manager: JobManager) -> None:
        states = [manager.fail(claimed(database, manager), CRASH).state for _ in range(3)]
        assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]

    def test_a_lost_claim_can_do_nothing(self, database: Database, manager: JobManager, doomed: JobManager) -> None:
        stale = claimed(database, doomed)
        doomed.expire()
        current = claimed(database, manager)
        assert current.attempt == stale.attempt + 1
        for attempt in (
            lambda: manager.beat(stale),
            lambda: finish(database, manager, stale),
            lambda: manager.fail(stale, BAD_MODEL),
            lambda: manager.release(stale),
        ):
            with pytest.raises(ClaimLostError, match="attempt 1"):
                attempt()
        assert finish(database, manager, current, by="the second").result == {"by": "the second"}

    def test_the_rows_of_a_lost_claim_are_not_kept(
        self, database: Database, manager: JobManager, doomed: JobManager
    ) -> None:
        stale = claimed(database, doomed)
        doomed.expire()

        def commit() -> None:
            with database.write() as session:
                session.add(model_row())
                session.flush()
                manager.finish(session, stale, {})

        with pytest.raises(ClaimLostError):
            commit()
        with database.read() as session:
            assert session.scalars(select(ModelRow)).all() == []

    def test_an_overdue_claim_that_nobody_took_away_still_holds(self, database: Database, doomed: JobManager) -> None:
        claim = claimed(database, doomed)
        assert finish(database, doomed, claim).state is JobState.DONE

    def test_a_job_that_every_worker_dies_of_is_quarantined(self, database: Database, doomed: JobManager) -> None:
        states = []
        for _ in range(3):
            job = claimed(database, doomed).job
            states += [expired.state for expired in doomed.expire()]
        assert states == [JobState.QUEUED, JobState.QUEUED, JobState.QUARANTINED]
        kept, made = submit(database, doomed, "a")
        assert (kept.id, kept.state, made) == (job.id, JobState.QUARANTINED, False)
        assert "vanished" in str((kept.error or {})["message"])
        retried = doomed.retry(job.id)
        assert (retried.state, retried.attempt, retried.max_attempts) == (JobState.QUEUED, 3, 6)

    def test_expiring_leaves_workers_alone_that_beat(self, database: Database, manager: JobManager) -> None:
        claim = claimed(database, manager)
        assert manager.expire() == []
        assert not manager.beat(claim)

    def test_a_beat_renews_the_lease(self, database: Database, manager: JobManager, doomed: JobManager) -> None:
        claim = claimed(database, doomed)
        manager.beat(claim)
        assert manager.expire() == []

    def test_a_dead_process_gives_back_its_own_jobs(self, database: Database, manager: JobManager) -> None:
        mine = submitted(database, manager, "mine")
        other = submitted(database, manager, "other")
        manager.claim(mine.id, "dead")
        manager.claim(other.id, "alive")
        assert [job.id for job in manager.abandon("dead", counts=False)] == [mine.id]
        job = manager.get(mine.id)
        assert (job.state, job.max_attempts - job.attempt) == (JobState.QUEUED, 3)
        manager.claim(mine.id, "dead")
        [counted] = manager.abandon("dead", counts=True)
        assert counted.max_attempts - counted.attempt == 2
        assert manager.get(other.id).state is JobState.RUNNING

    def test_a_released_job_loses_no_attempt(self, database: Database, manager: JobManager) -> None:
        for _ in range(5):
            assert manager.release(claimed(database, manager)).state is JobState.QUEUED
        states = [manager.fail(claimed(database, manager), CRASH).state for _ in range(3)]
        assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]

    def test_a_queued_job_is_cancelled_at_once_and_a_running_one_when_its_worker_stops(
        self, database: Database, manager: JobManager
    ) -> None:
        queued = submitted(database, manager, "queued")
        assert manager.cancel(queued.id).state is JobState.CANCELLED
        claim = claimed(database, manager, "running")
        assert manager.cancel(claim.job.id).state is JobState.RUNNING
        assert manager.beat(claim)
        assert manager.fail(claim, BuilderCancelledError("stopped")).state is JobState.CANCELLED
        assert manager.cancel(claim.job.id).state is JobState.CANCELLED

    def test_a_job_to_be_cancelled_is_not_tried_again(
        self, database: Database, manager: JobManager, doomed: JobManager
    ) -> None:
        for end in (lambda claim: manager.fail(claim, CRASH), manager.release, lambda _claim: doomed.expire()[0]):
            claim = claimed(database, doomed)
            manager.cancel(claim.job.id)
            assert end(claim).state is JobState.CANCELLED

    def test_work_that_is_done_before_the_cancellation_arrives_is_kept(
        self, database: Database, manager: JobManager
    ) -> None:
        claim = claimed(database, manager)
        manager.cancel(claim.job.id)
        assert finish(database, manager, claim).state is JobState.DONE

    def test_only_what_ended_without_a_result_can_be_retried(self, database: Database, manager: JobManager) -> None:
        claim = claimed(database, manager)
        with pytest.raises(UsageError, match="is running"):
            manager.retry(claim.job.id)
        finish(database, manager, claim)
        with pytest.raises(UsageError, match="is done"):
            manager.retry(claim.job.id)

    def test_a_retry_gives_way_to_a_live_job_of_the_key(self, database: Database, manager: JobManager) -> None:
        failed = manager.fail(claimed(database, manager), BAD_MODEL)
        submitted(database, manager)
        with pytest.raises(UsageError, match="another job"):
            manager.retry(failed.id)
        assert manager.get(failed.id).state is JobState.FAILED

    def test_an_unknown_job_is_not_found(self, manager: JobManager) -> None:
        for attempt in (manager.get, manager.cancel, manager.retry):
            with pytest.raises(NotFoundError):
                attempt("job_none")
        assert manager.claim("job_none", "worker") is None

    def test_the_history_tells_every_change_in_order(self, database: Database, manager: JobManager) -> None:
        claim = claimed(database, manager)
        record(database, claim.job.id, claim.attempt, [("log", {"text": "one"}), ("log", {"text": "two"})])
        finish(database, manager, claim)
        events = events_since(database, claim.job.id)
        assert [(event.kind, event.data.get("to", event.data.get("text"))) for event in events] == [
            ("state", "queued"),
            ("state", "running"),
            ("log", "one"),
            ("log", "two"),
            ("state", "done"),
        ]
        assert [event.attempt for event in events] == [0, 1, 1, 1, 1]
        assert events_since(database, claim.job.id, after=events[2].id) == events[3:]
        assert events_since(database, claim.job.id, limit=2) == events[:2]
        with pytest.raises(NotFoundError):
            record(database, "job_none", 1, [("log", {})])

    def test_a_round_of_repairs_brings_lost_work_back(
        self, database: Database, manager: JobManager, doomed: JobManager
    ) -> None:
        lost = claimed(database, doomed, "lost")
        waiting = submitted(database, manager, "waiting")
        told: list[str] = []

        def publisher(job: Queued) -> bool:
            told.append(job.id)
            return True

        def advance() -> None:
            submitted(database, manager, "found by advance")

        repairs = reconcile(manager, publisher, slots=_on_cpus, advance=advance)
        assert [(job.id, job.state) for job in repairs.expired] == [(lost.job.id, JobState.QUEUED)]
        assert set(told) == set(repairs.hinted) > {lost.job.id, waiting.id}
        assert len(told) == 3
        quiet = reconcile(manager, publisher, slots=_on_cpus, advance=lambda: None)
        assert (quiet.expired, quiet.hinted) == ((), ())
        loud = reconcile(manager, publisher, slots=_on_cpus, advance=lambda: None, hint_after_seconds=-1)
        assert (len(loud.hinted), len(told)) == (3, 6)
        reconcile(manager, publisher, slots=lambda _: 1, advance=lambda: None, hint_after_seconds=-1)
        assert len(told) == 7  # who hears it takes the others, too

    def test_nobody_is_told_of_what_nobody_can_do(self, database: Database, manager: JobManager) -> None:
        job = submitted(database, manager, "on a GPU", **ON_GPU)
        assert reconcile(manager, lambda _: True, slots=_on_cpus, advance=lambda: None).hinted == ()
        assert reconcile(
            manager, lambda _: True, slots=lambda need: int(need == job.need), advance=lambda: None
        ).hinted == (job.id,)

    def test_a_broker_that_is_down_is_asked_once_a_round(self, database: Database, manager: JobManager) -> None:
        for name in ("a", "b", "c"):
            submitted(database, manager, name)
        asked: list[str] = []

        def publisher(job: Queued) -> bool:
            asked.append(job.id)
            return len(asked) == 1

        assert len(reconcile(manager, publisher, slots=_on_cpus, advance=lambda: None).hinted) == 1
        assert len(asked) == 2
        assert len(manager.hints.untold(60, [Need(CPU)])) == 2
