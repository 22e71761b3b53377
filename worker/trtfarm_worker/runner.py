"""Runs one job: claim, builder process, blobs, then one transaction with the rows and the job's end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trtfarm.actions import ActionKind
from trtfarm.blobs.records import hold_stored
from trtfarm.errors import BuilderCancelledError, ClaimLostError, NotFoundError, StorageError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.file_errors import storage_errors
from trtfarm.jobs.job import Claim, Job
from trtfarm.routing import Opening
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.committing import Work, commit_all, commit_rows
from trtfarm_worker.hand import Hand
from trtfarm_worker.heartbeat import Heartbeat
from trtfarm_worker.logs import logger
from trtfarm_worker.offers import Offer, current_offer
from trtfarm_worker.pace import Pace
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


class _ListenerFailed(Exception):  # noqa: N818 - never leaves this module
    """Whoever listened cannot any more, which says nothing about the job."""


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
        self._pace = Pace()
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
        return place is not None and self._run_in(place, lambda: self._claim_only(job_id))

    def run_next(self) -> bool:
        """Does the job whose turn it is of those that can be done here now; False if there is none, or no place.

        Where jobs take but a moment, also some of those that come next.
        """
        offer = self.offer()
        for opening in self._farm.jobs.waiting(offer.capabilities, offer.station):
            place = self.reserve(opening)
            if place and self._run_in(place, partial(self._claim_next, opening.capability, offer, place)):
                return True
        return False

    def _claim_only(self, job_id: str) -> list[Claim]:
        claim = self._farm.jobs.claim(job_id, self._owner)
        return [claim] if claim else []

    def _claim_next(self, capability: str, offer: Offer, place: Place) -> list[Claim]:
        """Of the jobs whose turn it is, one that may be done in this place, or some that are worth doing together."""
        most, station = self._pace.at_once(capability), place.station(offer.labels)
        return self._farm.jobs.claim_several(self._owner, capability, offer.capabilities, station, most=most)

    def _run_in(self, place: Place, claim: Callable[[], Sequence[Claim]]) -> bool:
        """Does what can be claimed, and gives the place back."""
        try:
            claims = [] if self._stopping.is_set() else claim()
            if claims:
                self._do_all(Hand(claims), place)
            return bool(claims)
        finally:
            place.give_back()

    def _do_all(self, hand: Hand, place: Place) -> None:
        """Does jobs one after another; should one of them last, the others do not wait for it."""
        farm = self._farm

        def tick() -> None:
            if hand.old:
                self._let_go(hand)

        with ExitStack() as folders:
            shared = _Shared(folders=folders, toolchains=tuple(self._toolchains()))
            try:
                with Heartbeat(
                    farm.database, farm.jobs, lease_seconds=farm.settings.lease_seconds, tick=tick
                ) as heartbeat:
                    while self._goes_on() and (claim := hand.begin()) is not None:
                        self._do(hand, _Attempt(claim=claim, place=place, heartbeat=heartbeat, shared=shared))
            finally:
                self._let_go(hand)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and self._standing.lost is None

    def _let_go(self, hand: Hand) -> None:
        """Commits what is done, and gives back what was not begun."""
        rest = hand.take_out()
        for claim in rest.waiting:
            with suppress(TrtfarmError):  # its lease runs out
                self._farm.jobs.release(claim)
        if rest.running and rest.running.job.started is None:
            self._farm.jobs.begun(rest.running)
        if rest.done:
            self._commit(rest.done)

    def _do(self, hand: Hand, attempt: _Attempt) -> None:
        token = CancelToken()
        with self._lock:
            self._tokens.add(token)
            if self._stopping.is_set():
                token.cancel()
        work = None
        try:
            work = self._attempt(attempt, token)
        finally:
            hand.end(work)
            self._pace.job_took(attempt.claim.job.capability, time.monotonic() - attempt.begun)
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

    def _attempt(self, attempt: _Attempt, token: CancelToken) -> Work | None:
        """What is to be committed; None where the attempt is at its end without."""
        claim = attempt.claim
        try:
            return self._work(attempt, token)
        except TrtfarmError as error:
            self._failed(claim, error)
        except _ListenerFailed as failed:
            with suppress(ClaimLostError):
                self._farm.jobs.release(claim)
            raise failed.__cause__ or failed from None
        except Exception as error:  # noqa: BLE001 - the outermost edge: a mistake of ours ends this job, not the worker
            self._failed(claim, _defect(claim, error))
        except BaseException:
            with suppress(TrtfarmError):
                self._farm.jobs.release(claim)
            raise
        return None

    def _failed(self, claim: Claim, error: TrtfarmError) -> None:
        """Ends an attempt without a result, unless somebody else has the job by now."""
        try:
            if isinstance(error, ClaimLostError):
                raise error
            self._standing.failed(claim.job.id, error)
            self._farm.jobs.fail(claim, error)
        except ClaimLostError as lost:
            _log.warning("nothing of this attempt is kept", job=claim.job.id, reason=lost.message)
            return
        self._publish(self._farm.after_job(claim.job.id))

    def _work(self, attempt: _Attempt, token: CancelToken) -> Work:
        """Has the builder do the job, and stores the files that it made; what remains is to write their rows."""
        farm, job, heartbeat = self._farm, attempt.claim.job, attempt.heartbeat
        kind = STEP_KINDS[ActionKind(job.kind)]
        with storage_errors(farm.settings.home), heartbeat.beside(attempt.claim, token):
            task = self._task(attempt)
            if job.attempt > 1 and (left := handover.taken(task)):
                return attempt.work(task, kind.keep(task, left))
            try:
                return attempt.work(task, self._built(task, kind, heartbeat, token))
            except TrtfarmError as error:
                kept = self._kept_of(task, kind, attempt, error)
                if kept is None:
                    raise
                heartbeat.tell(LogLine(level="warning", text=f"what was handed over is kept; then: {error.message}"))
                return attempt.work(task, kept, whole=False)

    def _task(self, attempt: _Attempt) -> Task:
        """The job with folders of its own, which are there until its result is committed."""
        job = attempt.claim.job
        folder = attempt.shared.folders.enter_context(self._farm.scratch(job.id))
        inputs, scratch = folder / "inputs", folder / "scratch"
        inputs.mkdir()
        scratch.mkdir()
        return Task(
            farm=self._farm,
            job=job,
            toolchains=attempt.shared.toolchains,
            inputs=inputs,
            scratch=scratch,
            gpu=attempt.place.gpu,
            known=attempt.shared.known,
        )

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
        self._pace.builder_took(task.job.capability, answer.seconds)
        return kind.keep(task, answer)

    def _kept_of(self, task: Task, kind: StepKind, attempt: _Attempt, error: TrtfarmError) -> Commit | None:
        """What is kept of a builder that failed; None where that is nothing, or is kept already.

        Of a job that is stopped it is kept now: when it runs again, or whether, nobody knows.
        """
        left = handover.taken(task)
        commit = kind.keep(task, left) if left else None
        if commit is None or not isinstance(error, BuilderCancelledError):
            return commit
        hold_stored(self._farm.database, self._farm.blobs, {task.job.id: task.stored})
        with self._farm.database.write() as session:
            commit_rows(session, self._farm, attempt.work(task, commit))
        return None

    def _commit(self, works: Sequence[Work]) -> None:
        """Ends jobs with their results, together if that goes, and moves on who waits for them."""
        try:
            commit_all(self._farm, works, self._stopping)
        except Exception as error:  # noqa: BLE001 - the outermost edge, as in `_attempt`
            if len(works) > 1 and not isinstance(error, StorageError):  # one of them is to blame
                for work in works:
                    self._commit([work])
                return
            for work in works:
                self._failed(work.claim, error if isinstance(error, TrtfarmError) else _defect(work.claim, error))
            return
        if any(work.whole for work in works):
            self._standing.succeeded()
        self._publish(self._farm.after_job(*(work.claim.job.id for work in works)))


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What jobs that were claimed together have in common; their folders are there until all are committed."""

    folders: ExitStack
    toolchains: tuple[Toolchain, ...]
    known: dict[tuple[type[Any], str], Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A claim that runs now, and where."""

    claim: Claim
    place: Place
    heartbeat: Heartbeat
    shared: _Shared
    begun: float = field(default_factory=time.monotonic)

    def work(self, task: Task, commit: Commit, *, whole: bool = True) -> Work:
        """What it gave."""
        lines, stored = self.heartbeat.take(), task.stored
        return Work(claim=self.claim, commit=commit, stored=stored, lines=lines, begun=self.begun, whole=whole)


def _defect(claim: Claim, error: Exception) -> TrtfarmError:
    """For a mistake of ours."""
    _log.error("job failed unexpectedly", job=claim.job.id, exc_info=error)
    return TrtfarmError(f"{type(error).__name__}: {error}", cause="a defect of trtfarm")
