"""Doing jobs that were claimed together: one after another, under one heartbeat, and committed together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from trtfarm.errors import ClaimLostError, StorageError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Claim
from trtfarm_worker.attempt import Attempt, Attempts, ListenerFailed, Surroundings
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.committing import Work, commit_all
from trtfarm_worker.folders import Folders
from trtfarm_worker.hand import Hand
from trtfarm_worker.heartbeat import Heartbeat
from trtfarm_worker.logs import logger
from trtfarm_worker.pace import Pace
from trtfarm_worker.places import Place
from trtfarm_worker.standing import Standing
from trtfarm_worker.stopping import Stopping
from trtfarm_worker.toolchains.toolchain import Toolchain

_log = logger()


class Doing:
    """Sees claims to their ends; threads may share it."""

    def __init__(
        self,
        farm: Farm,
        attempts: Attempts,
        *,
        publish: Callable[[Sequence[str]], None],
        pace: Pace,
        standing: Standing,
        stopping: Stopping,
    ) -> None:
        self._farm = farm
        self._attempts = attempts
        self._publish = publish
        self._pace = pace
        self._standing = standing
        self._stopping = stopping

    def all_of(self, hand: Hand, place: Place, toolchains: tuple[Toolchain, ...]) -> None:
        """Does jobs one after another; should one of them last, the others do not wait for it."""
        farm = self._farm

        def tick() -> None:
            if hand.old:
                self._let_go(hand, heartbeat)

        heartbeat = Heartbeat(farm.database, farm.jobs, lease_seconds=farm.settings.lease_seconds, tick=tick)
        with Folders(farm) as folders, heartbeat:
            try:
                around = Surroundings(place=place, heartbeat=heartbeat, folders=folders, toolchains=toolchains)
                while self._goes_on() and (claim := hand.begin()) is not None:
                    self._do(hand, Attempt(claim=claim, around=around))
            finally:
                self._let_go(hand, heartbeat)

    def _goes_on(self) -> bool:
        return not self._stopping.asked and self._standing.lost is None

    def _let_go(self, hand: Hand, heartbeat: Heartbeat) -> None:
        """Commits what is done, and gives back what was not begun."""
        rest = hand.take_out()
        for claim in rest.waiting:
            with suppress(TrtfarmError):  # its lease runs out
                self._farm.jobs.release(claim)
        if rest.running and rest.running.job.started is None:
            self._farm.jobs.begun(rest.running)
        if rest.done:
            with heartbeat.keeping([work.claim for work in rest.done]):
                self._commit(rest.done, heartbeat.beat)

    def _do(self, hand: Hand, attempt: Attempt) -> None:
        work, computed = None, time.thread_time()
        with self._stopping.token() as token:
            try:
                work = self._outcome(attempt, token)
            finally:
                hand.end(work)
                seconds, computing = time.monotonic() - attempt.begun, time.thread_time() - computed
                self._pace.job_took(attempt.claim.job.capability, seconds, computing)

    def _outcome(self, attempt: Attempt, token: CancelToken) -> Work | None:
        """What is to be committed; None where the attempt is at its end without."""
        claim = attempt.claim
        try:
            return self._attempts.work(attempt, token)
        except TrtfarmError as error:
            self._failed(claim, error)
        except ListenerFailed as failed:
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

    def _commit(self, works: Sequence[Work], beat: Callable[[], None]) -> None:
        """Ends jobs with their results, together if that goes, and moves on who waits for them."""
        try:
            commit_all(self._farm, works, self._stopping, beat)
        except Exception as error:  # noqa: BLE001 - the outermost edge, as in `_outcome`
            if len(works) > 1 and not isinstance(error, StorageError):  # one of them is to blame
                for work in works:
                    self._commit([work], beat)
                return
            for work in works:
                self._failed(work.claim, error if isinstance(error, TrtfarmError) else _defect(work.claim, error))
            return
        if any(work.whole for work in works):
            self._standing.succeeded()
        self._publish(self._farm.after_job(*(work.claim.job.id for work in works)))


def _defect(claim: Claim, error: Exception) -> TrtfarmError:
    """For a mistake of ours."""
    _log.error("job failed unexpectedly", job=claim.job.id, exc_info=error)
    return TrtfarmError(f"{type(error).__name__}: {error}", cause="a defect of trtfarm")
