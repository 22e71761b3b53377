"""Random lives of jobs, compared step by step with a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import (
    BuilderCancelledError,
    BuilderMemoryError,
    ClaimLostError,
    MissingBlobError,
    ModelError,
    TrtfarmError,
    UsageError,
)
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.state import LIVE, JobState

ATTEMPTS = 2
_runs = count()

names = st.sampled_from(["a", "b"])
owners = st.sampled_from(["worker 1", "worker 2", "worker 3"])
errors = st.sampled_from(
    [
        BuilderMemoryError("killed"),
        ModelError("truncated"),
        BuilderCancelledError("stopped"),
        MissingBlobError("no bytes"),
    ]
)


@dataclass
class Expected:
    """What the model holds a job to be."""

    name: str
    state: JobState = JobState.QUEUED
    attempt: int = 0
    max_attempts: int = ATTEMPTS
    owner: str | None = None
    overdue: bool = False
    cancel_requested: bool = False
    history: list[JobState] = field(default_factory=lambda: [JobState.QUEUED])

    def to(self, state: JobState) -> None:
        self.state = state
        self.history.append(state)

    def lost(self) -> None:
        if self.cancel_requested:
            self.to(JobState.CANCELLED)
        else:
            self.to(JobState.QUEUED if self.attempt < self.max_attempts else JobState.QUARANTINED)

    def given_back(self) -> None:
        self.max_attempts += 1
        self.to(JobState.CANCELLED if self.cancel_requested else JobState.QUEUED)

    def failed(self, error: TrtfarmError) -> None:
        if isinstance(error, BuilderCancelledError):
            self.given_back()
        elif not error.retryable:
            self.to(JobState.FAILED)
        elif self.cancel_requested:
            self.to(JobState.CANCELLED)
        elif isinstance(error, MissingBlobError):
            self.to(JobState.FAILED)
        else:
            self.to(JobState.QUEUED if self.attempt < self.max_attempts else JobState.FAILED)


class JobMachine(RuleBasedStateMachine):
    """Several workers, some of which die: `doomed` gives leases that have run out already, `steady` ones that last."""

    jobs: Bundle[str] = Bundle("jobs")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.steady = JobManager(database, lease_seconds=3600, max_attempts=ATTEMPTS)
        self.doomed = JobManager(database, lease_seconds=-1, max_attempts=ATTEMPTS)
        # Jobs of other runs lie in the same database: these need a toolchain of their own.
        self.run = f"0.{next(_runs)}"
        self.expected: dict[str, Expected] = {}

    def _live(self, name: str) -> list[str]:
        return [job_id for job_id, job in self.expected.items() if job.name == name and job.state in LIVE]

    def _submit(self, name: str, priority: int) -> tuple[Job, bool]:
        with self.database.write() as session:
            key = digest_of_json([self.run, name])
            request = {"toolchain": "tensorrt-rtx", "tensorrt": self.run}
            return self.steady.submit(session, kind="build", key=key, request=request, priority=priority)

    @rule(target=jobs, name=names, priority=st.integers(0, 2))
    def submit(self, name: str, priority: int) -> Any:
        live = self._live(name)
        newest = next((job for job in reversed(self.expected.values()) if job.name == name), None)
        job, made = self._submit(name, priority)
        if made:
            assert not live
            assert newest is None or newest.state is not JobState.QUARANTINED
            self.expected[job.id] = Expected(name)
            return job.id
        if live:
            assert job.id == live[0]
            self.expected[job.id].cancel_requested = False
        else:
            assert newest is not None
            assert newest.state is JobState.QUARANTINED is job.state
        return multiple()

    @rule(target=claims, job_id=jobs, owner=owners, dies=st.booleans())
    def claim(self, job_id: str, owner: str, dies: bool) -> Any:  # noqa: FBT001 - drawn by name
        claim = (self.doomed if dies else self.steady).claim(job_id, owner)
        assert (claim is not None) == (self.expected[job_id].state is JobState.QUEUED)
        return multiple() if claim is None else self._started(claim, owner, overdue=dies)

    @rule(target=claims, owner=owners)
    def claim_next(self, owner: str) -> Any:
        claim = self.steady.claim_next(owner, f"tensorrt-rtx-{self.run}")
        queued = [job for job in self.expected.values() if job.state is JobState.QUEUED]
        assert (claim is not None) == bool(queued)
        return multiple() if claim is None else self._started(claim, owner, overdue=False)

    @rule(target=claims, job_id=jobs)
    def lose_and_claim_again(self, job_id: str) -> Any:
        """A likely story in one step, because stale claims are what fencing is for."""
        if self.expected[job_id].state is not JobState.QUEUED:
            return multiple()
        stale = self.claim(job_id, "worker 1", dies=True)
        self.expire()
        if self.expected[job_id].state is not JobState.QUEUED:
            return stale
        return multiple(stale, self.claim(job_id, "worker 2", dies=False))

    @rule(claim=claims)
    def cancel_and_stop(self, claim: Claim) -> None:
        """Another: the worker sees the request and ends the job."""
        self.cancel(claim.job.id)
        self.fail(claim, BuilderCancelledError("stopped"))

    def _started(self, claim: Claim, owner: str, *, overdue: bool) -> Claim:
        job = self.expected[claim.job.id]
        job.attempt += 1
        assert claim.attempt == job.attempt
        job.owner, job.overdue = owner, overdue
        job.to(JobState.RUNNING)
        return claim

    def _holds(self, claim: Claim) -> bool:
        job = self.expected[claim.job.id]
        return job.state is JobState.RUNNING and job.attempt == claim.attempt

    @rule(claim=claims)
    def beat(self, claim: Claim) -> None:
        if self._holds(claim):
            job = self.expected[claim.job.id]
            assert self.steady.beat(claim) == job.cancel_requested
            job.overdue = False
        else:
            with pytest.raises(ClaimLostError):
                self.steady.beat(claim)

    @rule(claim=claims)
    def finish(self, claim: Claim) -> None:
        def commit() -> None:
            with self.database.write() as session:
                self.steady.finish(session, claim, {"attempt": claim.attempt})

        if self._holds(claim):
            commit()
            self.expected[claim.job.id].to(JobState.DONE)
        else:
            with pytest.raises(ClaimLostError):
                commit()

    @rule(claim=claims, error=errors)
    def fail(self, claim: Claim, error: TrtfarmError) -> None:
        if self._holds(claim):
            self.steady.fail(claim, error)
            self.expected[claim.job.id].failed(error)
        else:
            with pytest.raises(ClaimLostError):
                self.steady.fail(claim, error)

    @rule(claim=consumes(claims))
    def release(self, claim: Claim) -> None:
        if self._holds(claim):
            self.steady.release(claim)
            self.expected[claim.job.id].given_back()
        else:
            with pytest.raises(ClaimLostError):
                self.steady.release(claim)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.steady.cancel(job_id)
        job = self.expected[job_id]
        if job.state is JobState.QUEUED:
            job.to(JobState.CANCELLED)
        elif job.state is JobState.RUNNING:
            job.cancel_requested = True

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        job = self.expected[job_id]
        ended = job.state in {JobState.FAILED, JobState.CANCELLED, JobState.QUARANTINED}
        if ended and not self._live(job.name):
            self.steady.retry(job_id)
            job.max_attempts, job.cancel_requested = job.attempt + ATTEMPTS, False
            job.to(JobState.QUEUED)
        else:
            with pytest.raises(UsageError):
                self.steady.retry(job_id)

    @rule()
    def expire(self) -> None:
        taken = {job.id for job in self.steady.expire()} & self.expected.keys()
        lost = {job_id for job_id, job in self.expected.items() if job.state is JobState.RUNNING and job.overdue}
        assert taken == lost
        for job_id in lost:
            self.expected[job_id].lost()

    @rule(owner=owners, counts=st.booleans())
    def abandon(self, owner: str, counts: bool) -> None:  # noqa: FBT001 - drawn by name
        self.steady.abandon(owner, counts=counts)
        for job in self.expected.values():
            if job.state is JobState.RUNNING and job.owner == owner:
                job.lost() if counts else job.given_back()

    @invariant()
    def every_job_is_what_the_model_says(self) -> None:
        for job_id, expected in self.expected.items():
            job = self.steady.get(job_id)
            assert (job.state, job.attempt) == (expected.state, expected.attempt)
            assert job.max_attempts == expected.max_attempts
            assert job.cancel_requested == expected.cancel_requested
            assert (job.finished is None) == (job.state in LIVE)
            assert (job.lease_until is not None) == (job.state is JobState.RUNNING)

    @invariant()
    def a_key_has_at_most_one_live_job(self) -> None:
        assert all(len(self._live(name)) <= 1 for name in ("a", "b"))

    def teardown(self) -> None:
        """Whatever happened, workers that live get every accepted job to an end."""
        for job in self.expected.values():
            if job.state is JobState.RUNNING:
                self.steady.abandon(str(job.owner), counts=False)
        while claim := self.steady.claim_next("last", f"tensorrt-rtx-{self.run}"):
            with self.database.write() as session:
                self.steady.finish(session, claim, {})
        assert all(not self.steady.get(job_id).state.live for job_id in self.expected)


def run_lives(database: Database, *, examples: int) -> None:
    """Fails with the shortest life found that breaks a promise."""

    class Machine(JobMachine):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=examples, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]),
    )
