"""Random lives of workers: who is up, who takes jobs, and what a job that waits is told, against a model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, update

from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.database.clock import from_now
from trtfarm.database.schema import Base, WorkerRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import NotFoundError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Claim
from trtfarm.jobs.state import JobState
from trtfarm.requirements import Requirements
from trtfarm.routing import NOWHERE, Need, Station, fits
from trtfarm.settings import Settings
from trtfarm.waiting import why_waiting
from trtfarm.workers import (
    WorkerState,
    forget_silent,
    list_workers,
    ready_workers,
    set_state,
    state_of,
)
from trtfarm_worker.alive import WORKER
from trtfarm_worker.offers import Offer
from trtfarm_worker.presence import Presence
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

_DAY = 24 * 3600.0
_RTX = Toolchain(name="rtx", kind=ToolchainKind.TENSORRT_RTX, python=Path("/python"), version="1.7.1.116")
#: The last one has all that the others have.
_LABELS = ((), ("rack=a1",), ("zone=b",), ("rack=a1", "zone=b"))
_numbers = count()
_requests: dict[str, dict[str, Any]] = {
    "cpu": {},
    "rtx": {"toolchain": "tensorrt-rtx", "tensorrt": _RTX.version},
}


@dataclass
class _Expected:
    """What the model holds a worker to be."""

    words: frozenset[str]
    station: Station
    state: WorkerState = WorkerState.READY
    silent: bool = False

    @property
    def alive(self) -> bool:
        return self.state is not WorkerState.LEFT and not self.silent

    @property
    def ready(self) -> bool:
        return self.state is WorkerState.READY and not self.silent


class _Machine(RuleBasedStateMachine):
    """`run_workers` says where; every life begins with an empty farm."""

    database: Database
    folder: Path

    workers: Bundle[Presence] = Bundle("workers")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        with self.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
        home = Settings.from_environment({"TRTFARM_HOME": str(self.folder)})
        self.farm = Farm(home, self.database, BlobStore(Objects.in_folder(self.folder / "blobs")))
        self.expected: dict[str, _Expected] = {}
        self.present: dict[str, Presence] = {}

    @rule(target=workers, builds=st.booleans(), labels=st.sampled_from(_LABELS))
    def arrive(self, builds: bool, labels: tuple[str, ...]) -> Presence:  # noqa: FBT001 - drawn by name
        """A worker with a TensorRT, or without, somewhere."""
        return self._begin(builds=builds, labels=labels)

    def _begin(self, *, builds: bool, labels: tuple[str, ...]) -> Presence:
        offer = Offer(toolchains=[_RTX] if builds else [], labels=labels)
        worker = Presence(self.farm, WORKER, offer=lambda: offer)
        worker.__enter__()
        self.present[worker.owner] = worker
        self.expected[worker.owner] = _Expected(frozenset(offer.capabilities), offer.station)
        return worker

    @rule(worker=consumes(workers))
    def leave(self, worker: Presence) -> None:
        worker.__exit__(None, None, None)
        del self.present[worker.owner]
        if worker.owner in self.expected:
            self.expected[worker.owner].state = WorkerState.LEFT
        with pytest.raises(NotFoundError):
            set_state(self.database, worker.owner, WorkerState.READY)

    @rule(worker=workers, seconds=st.sampled_from([1.0, 2 * _DAY]))
    def fall_silent(self, worker: Presence, seconds: float) -> None:
        """It lost its connection so many seconds after its lease ended; after a day it is nobody's any more."""
        if worker.owner not in self.expected:
            return
        late = update(WorkerRow).where(WorkerRow.id == worker.owner).values(lease_until=from_now(-seconds))
        with self.database.write() as session:
            session.execute(late)
            forget_silent(session)
        self.expected[worker.owner].silent = True
        if seconds > _DAY:
            del self.expected[worker.owner]

    @rule(worker=workers, state=st.sampled_from([state for state in WorkerState if state is not WorkerState.LEFT]))
    def tell(self, worker: Presence, state: WorkerState) -> None:
        """Somebody pauses or drains it, or lets it go on; or it takes itself out."""
        known = self.expected.get(worker.owner)
        if known is None:
            with pytest.raises(NotFoundError):
                set_state(self.database, worker.owner, state)
        else:
            told = set_state(self.database, worker.owner, state)
            known.state = state
            assert (told.state, told.ready) == (known.state, known.ready)

    @rule(word=st.sampled_from(sorted(_requests)), labels=st.sampled_from(_LABELS))
    def submit(self, word: str, labels: tuple[str, ...]) -> None:
        with self.database.write() as session:
            key, requires = digest_of_json(["worker machine", next(_numbers)]), Requirements(labels=labels)
            self.farm.jobs.submit(session, kind="build", key=key, request=_requests[word], requires=requires)

    @rule(target=claims, worker=workers)
    def take(self, worker: Presence) -> Any:
        """What a worker does that looks for work: only while it is to take any, and of what it offers."""
        known = self.expected.get(worker.owner, _Expected(frozenset(), NOWHERE))
        may, jobs = state_of(self.database, worker.owner) is WorkerState.READY, self.farm.jobs
        queued = [word for word in sorted(known.words) if jobs.look([word], known.station).openings]
        claims = [jobs.claim_next(worker.owner, word, (), known.station) for word in queued] if may else []
        assert all(claim is not None and claim.owner == worker.owner for claim in claims)
        assert all(fits(claim.job.need, known.words, known.station) for claim in claims if claim)
        return claims[0] if claims else None

    @rule(claim=consumes(claims))
    def finish(self, claim: Claim | None) -> None:
        """A worker that was paused or drained meanwhile ends what it has begun."""
        if claim is not None and self.farm.jobs.get(claim.job.id).state is JobState.RUNNING:
            with self.database.write() as session:
                self.farm.jobs.finish(session, claim, {})

    @invariant()
    def the_list_is_the_models(self) -> None:
        known = {worker.id: worker for worker in list_workers(self.database, left=True)}
        here = {name for name, one in self.expected.items() if one.state is not WorkerState.LEFT}
        assert here <= known.keys() <= self.expected.keys()  # those that ended are forgotten once they are replaced
        for name, worker in known.items():
            one = self.expected[name]
            assert (worker.state, worker.alive, worker.ready) == (one.state, one.alive, one.ready)
        assert list_workers(self.database) == [worker for worker in known.values() if worker.alive]
        ready = {name for name, one in self.expected.items() if one.ready}
        assert {worker.id for worker in ready_workers(self.database)} == ready
        able = {word for worker in ready_workers(self.database) for word in worker.capabilities}
        assert able == {word for name in ready for word in self.expected[name].words}
        for name, one in self.expected.items():
            assert state_of(self.database, name) == (None if one.state is WorkerState.LEFT else one.state)

    @invariant()
    def who_waits_is_told_why(self) -> None:
        workers = list_workers(self.database, left=True)
        for word, labels in product(("cpu", f"tensorrt-rtx-{_RTX.version}"), _LABELS):
            need = Need(word, Requirements(labels=labels))
            ready = any(fits(need, one.words, one.station) for one in self.expected.values() if one.ready)
            assert (why_waiting(need, workers) is None) == ready

    def teardown(self) -> None:
        """However the workers ended, their jobs go on with one that arrives then."""
        for worker in self.present.values():
            worker.__exit__(None, None, None)
            self.farm.jobs.abandon(worker.owner, counts=False)
        last = self._begin(builds=True, labels=_LABELS[-1])
        known = self.expected[last.owner]
        for word in sorted(known.words):
            while claim := self.farm.jobs.claim_next(last.owner, word, (), known.station):
                with self.database.write() as session:
                    self.farm.jobs.finish(session, claim, {})
        last.__exit__(None, None, None)


def run_workers(database: Database, folder: Path, *, examples: int) -> None:
    """Fails with the shortest life found that breaks a promise; what was in the database goes."""
    run_state_machine_as_test(
        type("Machine", (_Machine,), {"database": database, "folder": folder}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
