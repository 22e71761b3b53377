"""Random lives of a farm: what is asked for, made, lost, kept and taken back, while clean-up takes all that it may.

Workers are hands that do jobs without builders: they begin, and end, die or fail at any later moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from tests.contracts.submission_bench import RESULT_ROWS, Bench
from trtfarm.actions import ActionKind
from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.blobs.naming import named
from trtfarm.blobs.store import Blob, StoredBlob
from trtfarm.catalog.labels import label_engine, unlabel_engine
from trtfarm.catalog.pinning import pin_engine
from trtfarm.catalog.removal import remove_engines
from trtfarm.database.schema import Base, DatasetRow, EngineRow, JobRow, ModelRow, QuantizationRow, StepRow, TableRow
from trtfarm.database.session import Database
from trtfarm.errors import ClaimLostError, ModelError, NotFoundError, UsageError
from trtfarm.jobs.job import Claim
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.retention.checkup import Damage, check_up
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.submissions.results import KINDS

#: Engines and tables go as soon as nothing keeps them.
_NOTHING = Policy(total_bytes=0, tables_unused_for=timedelta(0))
_owners = count()
draws = st.integers(0, 1000)


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A job that a worker has claimed, and the files that it has stored for it."""

    claim: Claim
    blobs: list[Blob]


class _Machine(RuleBasedStateMachine):
    """`run_farms` says where; every life begins with an empty farm."""

    database: Database
    folder: Path

    submissions: Bundle[str] = Bundle("submissions")
    begun: Bundle[_Begun] = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        with self.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
        self.bench = Bench(self.database, self.folder)
        for stored in list(self.bench.farm.blobs.blobs()):
            self.bench.farm.blobs.delete(stored.blob.digest)
        self._models = [self.bench.model(), self.bench.model()]
        self._made: list[str] = []
        #: Engines that their owners keep, by the word under which they do.
        self._kept: dict[str, set[str]] = {"pinned": set(), "prod": set()}
        self._damaged: set[str] = set()
        #: Submissions that had ended and go on: what they had may have gone meanwhile.
        self._reopened: set[str] = set()
        self._found: list[StoredBlob] = []
        #: Whether somebody stopped something, or a job failed by its own fault.
        self._spoiled = False

    # Submissions and jobs

    @initialize(target=submissions)
    def begin_with_engines(self) -> Any:
        """Lives begin with something to lose: two engines, of which a submission that goes on has found one."""
        done = self._submitted(0, {"sm_86", "sm_89"}, verified=True)
        self.bench.do_all()
        return multiple(done, self._submitted(0, {"sm_89", "sm_120"}, verified=True))

    @rule(
        target=submissions,
        model=st.integers(0, 1),
        capabilities=st.sets(st.sampled_from(["sm_86", "sm_89", "sm_120"]), min_size=1),
        verified=st.booleans(),
        fresh=st.booleans(),
    )
    def submit(self, model: int, capabilities: set[str], verified: bool, fresh: bool) -> str:  # noqa: FBT001 - drawn by name
        return self._submitted(model, capabilities, verified=verified, fresh=fresh)

    def _submitted(self, model: int, capabilities: set[str], *, verified: bool, fresh: bool = False) -> str:
        request = self.bench.request(
            self._models[model], *sorted(capabilities), test_dataset_id="dat_test" if verified else None
        )
        self._made.append(self.bench.submit(request, fresh=fresh).id)
        return self._made[-1]

    @precondition(lambda self: self.bench.queued())
    @rule(target=begun, draw=draws)
    def begin(self, draw: int) -> Any:
        """A worker claims a job and stores what it makes of it, under the job's name."""
        return self._begun(draw)

    @precondition(lambda self: self.bench.queued())
    @rule(draw=draws)
    def work_beside_clean_up(self, draw: int) -> None:
        """Another: clean-up comes between the files and the rows of a result."""
        begun = self._begun(draw)
        self.clean()
        self.finish(begun)

    def _begun(self, draw: int) -> _Begun:
        queued = self.bench.queued()
        claim = self.bench.farm.jobs.claim(queued[draw % len(queued)].id, f"worker {next(_owners)}")
        assert claim is not None
        return _Begun(claim=claim, blobs=self.bench.store(claim))

    @precondition(lambda self: self.bench.queued())
    @rule()
    def work(self) -> None:
        """A likely story in one step: all that is queued is done, and what comes of it."""
        self.bench.do_all()

    @rule(begun=consumes(begun))
    def finish(self, begun: _Begun) -> None:
        """It writes the rows of the result, if the job is still its own."""
        with suppress(ClaimLostError):
            self.bench.commit(begun.claim, begun.blobs)

    @rule(begun=begun)
    def die(self, begun: _Begun) -> None:
        """Its job is given to another; what it has may still come."""
        self.bench.farm.jobs.abandon(begun.claim.owner, counts=False)

    @rule(begun=consumes(begun))
    def fail(self, begun: _Begun) -> None:
        with suppress(ClaimLostError):
            self.bench.farm.jobs.fail(begun.claim, ModelError("does not fit"))
            self._spoiled = True
        self.bench.farm.after_job(begun.claim.job.id)

    @rule(submission=submissions)
    def cancel_submission(self, submission: str) -> None:
        self.bench.farm.cancel_submission(submission)
        self._spoiled = True
        assert self.bench.get(submission).state is not SubmissionState.ACTIVE

    @rule(draw=draws)
    def cancel_job(self, draw: int) -> None:
        if jobs := self._jobs(JobState.QUEUED, JobState.RUNNING):
            self.bench.farm.cancel(jobs[draw % len(jobs)])
            self._spoiled = True

    @rule(draw=draws)
    def retry_job(self, draw: int) -> None:
        """Not of one whose needs clean-up has taken since: a worker would look for them, and fail it."""
        if jobs := [job for job in self._jobs(JobState.FAILED, JobState.CANCELLED) if self._has_its_needs(job)]:
            with suppress(UsageError):  # another live job has its key
                _, submissions = self.bench.farm.retry(jobs[draw % len(jobs)])
                self._reopened.update(submissions)

    # What owners keep

    @rule(draw=draws, word=st.sampled_from(["pinned", "prod"]))
    def keep(self, draw: int, word: str) -> None:
        if (engine := self._engine(draw)) is None:
            return
        if word == "pinned":
            pin_engine(self.bench.farm.database, engine, pinned=True)
        else:
            label_engine(self.bench.farm.database, engine, word)
        self._kept[word].add(engine)

    @rule(draw=draws, word=st.sampled_from(["pinned", "prod"]))
    def let_go(self, draw: int, word: str) -> None:
        if (engine := self._engine(draw)) is None:
            return
        if word == "pinned":
            pin_engine(self.bench.farm.database, engine, pinned=False)
        elif engine in self._kept[word]:
            unlabel_engine(self.bench.farm.database, engine, word)
        else:
            with pytest.raises(NotFoundError):
                unlabel_engine(self.bench.farm.database, engine, word)
        self._kept[word].discard(engine)

    @rule(draw=draws)
    def remove(self, draw: int) -> None:
        if (engine := self._engine(draw)) is None:
            return
        if any(engine in kept for kept in self._kept.values()):
            with pytest.raises(UsageError):
                remove_engines(self.bench.farm.database, self.bench.farm.blobs, [engine])
        elif not self._needed():
            remove_engines(self.bench.farm.database, self.bench.farm.blobs, [engine])

    # Clean-up and damage

    @rule()
    def clean(self) -> None:
        clean(self.bench.farm, _NOTHING, grace_seconds=-1)

    @rule()
    def look(self) -> None:
        """Clean-up looks for garbage."""
        self._found = find_garbage(self.bench.farm.database, self.bench.farm.blobs, grace_seconds=-1)

    @rule()
    def strike(self) -> None:
        """Clean-up removes what it found when it looked last."""
        remove_garbage(self.bench.farm.database, self.bench.farm.blobs, self._found)

    @precondition(lambda self: not self._needed())
    @rule(draw=draws)
    def damage(self, draw: int) -> None:
        """A result's file is lost, which the next check tells."""
        results = sorted(self._named() - self._damaged)
        if results:
            lost = results[draw % len(results)]
            self.bench.farm.blobs.delete(lost)
            self._damaged.add(lost)
            findings = check_up(self.bench.farm, repair=True).findings
            assert (lost, Damage.MISSING) in {(finding.digest, finding.damage) for finding in findings}

    # What always holds

    @invariant()
    def what_is_kept_is_there(self) -> None:
        with self.bench.farm.database.read() as session:
            there = set(session.scalars(select(EngineRow.id)))
        assert set.union(*self._kept.values()) <= there

    @invariant()
    def what_rows_name_is_there(self) -> None:
        needed = self._named() | self._damaged
        missing = {digest for digest in needed if self.bench.farm.blobs.size(digest) is None}
        assert missing <= self._damaged
        self._damaged = missing  # the others were made anew

    @invariant()
    def what_goes_on_has_its_results_and_somebody_who_does_the_rest(self) -> None:
        self.bench.farm.advance()
        assert self.bench.waiting_without_reason() == []
        with self.bench.farm.database.read() as session:
            for submission in self.bench.farm.submissions.active():
                steps = session.scalars(select(StepRow).where(StepRow.submission_id == submission)).all()
                jobs = [session.get_one(JobRow, step.job_id) for step in steps if step.state is StepState.ACTIVE]
                assert any(job.state.live for job in jobs)
                for step in steps if submission not in self._reopened else ():
                    if step.state in {StepState.HIT, StepState.DONE}:
                        assert step.result is not None
                        row_id = step.result[KINDS[ActionKind(step.kind)].word]
                        assert session.get(RESULT_ROWS[ActionKind(step.kind)], row_id) is not None

    def teardown(self) -> None:
        """Whatever happened, workers that live get every submission to an end; then only what is kept stays."""
        farm = self.bench.farm
        with farm.database.read() as session:
            owners = session.scalars(select(JobRow.owner).where(JobRow.state == JobState.RUNNING)).all()
        for owner in owners:
            for job in farm.jobs.abandon(str(owner), counts=False):
                farm.after_job(job.id)
        farm.advance()
        self.bench.do_all()
        states = {self.bench.get(submission).state for submission in self._made}
        assert SubmissionState.ACTIVE not in states
        assert self._spoiled or states <= {SubmissionState.DONE}
        for engine in self._kept["pinned"]:
            pin_engine(farm.database, engine, pinned=False)
        for engine in self._kept["prod"]:
            unlabel_engine(farm.database, engine, "prod")
        clean(farm, _NOTHING, grace_seconds=-1)
        assert self._named() == set()

    def _jobs(self, *states: JobState) -> list[str]:
        wanted = select(JobRow.id).where(JobRow.state.in_(states)).where(self._mine(JobRow.request)).order_by(JobRow.id)
        with self.bench.farm.database.read() as session:
            return list(session.scalars(wanted))

    def _has_its_needs(self, job_id: str) -> bool:
        request = self.bench.farm.jobs.get(job_id).request
        needs = {"quantization_id": QuantizationRow, "table_id": TableRow}
        with self.bench.farm.database.read() as session:
            return all(session.get(rows, request[name]) for name, rows in needs.items() if request.get(name))

    def _mine(self, request: Any) -> Any:
        return request["model_id"].as_string().in_(self._models)

    def _engine(self, draw: int) -> str | None:
        with self.bench.farm.database.read() as session:
            engines = session.scalars(select(EngineRow.id).order_by(EngineRow.id)).all()
        return engines[draw % len(engines)] if engines else None

    def _needed(self) -> bool:
        """Whether something goes on, which may rest on any result."""
        return bool(self.bench.farm.submissions.active())

    def _named(self) -> set[str]:
        """Blobs of results; the bench's models and data have none."""
        others: Iterable[str] = (ModelRow.__tablename__, DatasetRow.__tablename__)
        with self.bench.farm.database.read() as session:
            return {naming.digest for naming in named(session) if naming.table not in others}


def run_farms(database: Database, folder: Path, *, examples: int) -> None:
    """Fails with the shortest life found that breaks a promise; what was in the database goes."""
    run_state_machine_as_test(
        type("Machine", (_Machine,), {"database": database, "folder": folder}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
