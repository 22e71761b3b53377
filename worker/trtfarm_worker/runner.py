"""Runs one job: claim, builder process, blobs, then one transaction with the rows and the job's end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from trtfarm.actions import ActionKind
from trtfarm.errors import (
    BuilderCancelledError,
    ClaimLostError,
    DiskFullError,
    NotFoundError,
    StorageError,
    TrtfarmError,
)
from trtfarm.farm import Farm
from trtfarm.file_errors import storage_errors
from trtfarm.jobs import history
from trtfarm.jobs.job import Claim, Job
from trtfarm.routing import Opening
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.heartbeat import Heartbeat
from trtfarm_worker.logs import logger
from trtfarm_worker.offers import Offer, current_offer
from trtfarm_worker.places import Place, Places
from trtfarm_worker.standing import Standing
from trtfarm_worker.steps import handover
from trtfarm_worker.steps.registry import STEP_KINDS
from trtfarm_worker.steps.step import Commit, StepKind, Task
from trtfarm_worker.toolchains.toolchain import Toolchain

_log = logger()

#: Hears of every event of a job that runs here, in the job's thread; what it raises comes out of `Runner.run`.
Listener = Callable[[Job, Progress | LogLine], None]
#: What does a step: `run_builder`, in a process of its own.
Build = Callable[..., BuilderAnswer]
#: Seconds between attempts to commit a result.
_COMMIT_AGAIN_SECONDS = 1.0


class _ListenerFailed(Exception):  # noqa: N818 - never leaves this module
    """Whoever listened cannot any more, which says nothing about the job."""


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a builder did, stored but for its rows."""

    commit: Commit
    #: The last of the job's history before its end.
    lines: Sequence[history.Line]
    #: Whether the builder did all of it, and did not end badly after it had handed over what counts.
    whole: bool = True


class Runner:
    """Does jobs for one owner (a worker, or a client that works by itself); threads may share it.

    `toolchains` is asked before each job, because they come and go while a worker runs.
    """

    def __init__(
        self,
        farm: Farm,
        owner: str,
        toolchains: Callable[[], Sequence[Toolchain]],
        *,
        publish: Callable[[Sequence[str]], None],
        listener: Listener = lambda _job, _event: None,
        places: Places | None = None,
        standing: Standing | None = None,
        build: Build = run_builder,
    ) -> None:
        self._farm = farm
        self._build = build
        self._owner = owner
        self._toolchains = toolchains
        self._publish = publish
        self._listener = listener
        self._places = places or Places(farm.settings.slots)
        self._standing = standing or Standing()
        self._lock = threading.Lock()
        self._tokens: set[CancelToken] = set()
        self._stopping = threading.Event()

    def offer(self) -> Offer:
        """What can be done here now."""
        return current_offer(self._toolchains(), self._places, self._farm.settings.worker_labels)

    def reserve(self, opening: Opening) -> Place | None:
        """Room for a job that takes this, for `run`; None if there is none now."""
        return None if self._stopping.is_set() else self._places.take(opening)

    def run(self, job_id: str, place: Place | None = None) -> bool:
        """Does the job in a place that was reserved for it, or else in one that is free.

        False if it is not queued (any more), has no place, or if this runner was stopped. A job that fails is no error
        here. Raises StorageError when the database cannot be told how the job ended; then its lease runs out.
        """
        try:
            place = place or self.reserve(self._farm.jobs.get(job_id).need.opening)
        except NotFoundError:
            return False
        return place is not None and self._run_in(place, lambda: self._farm.jobs.claim(job_id, self._owner))

    def run_next(self) -> bool:
        """Does the job whose turn it is of those that can be done here now; False if there is none, or no place."""
        offer = self.offer()
        for opening in self._farm.jobs.waiting(offer.capabilities, offer.station):
            place = self.reserve(opening)
            if place and self._run_in(place, partial(self._claim_next, opening.capability, offer, place)):
                return True
        return False

    def _claim_next(self, capability: str, offer: Offer, place: Place) -> Claim | None:
        """Of the jobs whose turn it is, one that may be done in this place."""
        return self._farm.jobs.claim_next(self._owner, capability, offer.capabilities, place.station(offer.labels))

    def _run_in(self, place: Place, claim: Callable[[], Claim | None]) -> bool:
        """Does what can be claimed, and gives the place back."""
        try:
            claimed = None if self._stopping.is_set() else claim()
            if claimed is not None:
                self._do(claimed, place)
            return claimed is not None
        finally:
            place.give_back()

    def _do(self, claim: Claim, place: Place) -> None:
        token = CancelToken()
        with self._lock:
            self._tokens.add(token)
            if self._stopping.is_set():
                token.cancel()
        try:
            self._attempt(claim, token, place)
        finally:
            with self._lock:
                self._tokens.discard(token)

    @property
    def idle(self) -> bool:
        """Whether no job runs here."""
        with self._lock:
            return not self._tokens

    def stop(self) -> None:
        """Ends the builders that run now; their jobs go back to the queue without having lost an attempt."""
        with self._lock:
            self._stopping.set()
            for token in self._tokens:
                token.cancel()

    def _attempt(self, claim: Claim, token: CancelToken, place: Place) -> None:
        try:
            self._bring_to_an_end(claim, token, place)
        except ClaimLostError as lost:
            _log.warning("nothing of this attempt is kept", job=claim.job.id, reason=lost.message)
            return
        self._publish(self._farm.after_job(claim.job.id))

    def _bring_to_an_end(self, claim: Claim, token: CancelToken, place: Place) -> None:
        """Raises ClaimLostError when somebody else has the job by now."""
        try:
            work = self._work(claim, token, place)
            self._commit(claim, work)
            if work.whole:
                self._standing.succeeded()
        except ClaimLostError:
            raise
        except TrtfarmError as error:
            self._standing.failed(claim.job.id, error)
            self._farm.jobs.fail(claim, error)
        except _ListenerFailed as failed:
            with suppress(ClaimLostError):
                self._farm.jobs.release(claim)
            raise failed.__cause__ or failed from None
        except Exception as error:  # noqa: BLE001 - the outermost edge: a mistake of ours ends this job, not the worker
            _log.exception("job failed unexpectedly", job=claim.job.id)
            defect = TrtfarmError(f"{type(error).__name__}: {error}", cause="a defect of trtfarm")
            self._farm.jobs.fail(claim, defect)
        except BaseException:
            with suppress(TrtfarmError):
                self._farm.jobs.release(claim)
            raise

    def _work(self, claim: Claim, token: CancelToken, place: Place) -> _Work:
        """Has the builder do the job, and stores the files that it made; what remains is to write their rows."""
        farm, job = self._farm, claim.job
        kind = STEP_KINDS[ActionKind(job.kind)]
        with (
            storage_errors(farm.settings.home),
            farm.scratch(job.id) as folder,
            Heartbeat(farm.database, farm.jobs, claim, token, lease_seconds=farm.settings.lease_seconds) as heartbeat,
        ):
            inputs, scratch = folder / "inputs", folder / "scratch"
            inputs.mkdir()
            scratch.mkdir()
            task = Task(
                farm=farm,
                job=job,
                toolchains=tuple(self._toolchains()),
                inputs=inputs,
                scratch=scratch,
                gpu=place.gpu,
            )
            if job.attempt > 1 and (left := handover.taken(task)):
                return _Work(commit=kind.keep(task, left), lines=heartbeat.take())
            try:
                return _Work(commit=self._built(task, kind, heartbeat, token), lines=heartbeat.take())
            except TrtfarmError as error:
                kept = self._kept_of(task, kind, claim, error)
                if kept is None:
                    raise
                heartbeat.tell(LogLine(level="warning", text=f"what was handed over is kept; then: {error.message}"))
                return _Work(commit=kept, lines=heartbeat.take(), whole=False)

    def _built(self, task: Task, kind: StepKind, heartbeat: Heartbeat, token: CancelToken) -> Commit:
        def hear(event: Progress | LogLine) -> None:
            heartbeat.tell(event)
            try:
                self._listener(task.job, event)
            except Exception as error:
                raise _ListenerFailed from error

        invocation = kind.prepare(task)
        request = BuilderRequest(
            toolchain=invocation.toolchain,
            step=invocation.step,
            args=invocation.args,
            limits=Limits.of(self._farm.settings),
            scratch=task.scratch,
            gpu=task.gpu.turn if task.gpu else None,
        )
        answer = self._build(request, on_event=hear, on_handed_over=partial(handover.take, task), should_stop=token)
        used = {"seconds": round(answer.seconds, 3), "peak_memory_bytes": answer.peak_memory_bytes}
        heartbeat.note("builder", used)
        return kind.keep(task, answer)

    def _kept_of(self, task: Task, kind: StepKind, claim: Claim, error: TrtfarmError) -> Commit | None:
        """What is kept of a builder that failed; None where that is nothing, or is kept already.

        Of a job that is stopped it is kept now: when it runs again, or whether, nobody knows.
        """
        left = handover.taken(task)
        commit = kind.keep(task, left) if left else None
        if commit is None or not isinstance(error, BuilderCancelledError):
            return commit
        with self._farm.database.write() as session:
            self._farm.jobs.hold(session, claim)
            commit(session)
        return None

    def _commit(self, claim: Claim, work: _Work) -> None:
        """Ends the job with the rows of its result and the last lines of its history, all or nothing.

        A database that is away for a moment is no reason to do hours of work again, so for as long as a lease this is
        tried anew; whether the result still counts, the claim decides.
        """
        farm = self._farm
        deadline = time.monotonic() + farm.settings.lease_seconds
        while True:
            try:
                with farm.database.write() as session:
                    farm.jobs.hold(session, claim)
                    result = work.commit(session)
                    history.add(session, claim.job.id, claim.attempt, work.lines)
                    farm.jobs.finish(session, claim, result)
                    return
            except DiskFullError:
                raise
            except StorageError as error:
                if time.monotonic() > deadline or self._stopping.wait(_COMMIT_AGAIN_SECONDS):
                    raise
                _log.warning("result not committed, tried again", job=claim.job.id, error=error.message)
