"""Finds jobs that can be done here, claims them in a place, and has them done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from trtfarm.errors import NotFoundError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Claim
from trtfarm.jobs.look import Look
from trtfarm.routing import Opening
from trtfarm_worker.attempt import Attempts, Build, Listener
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.doing import Doing
from trtfarm_worker.hand import Hand
from trtfarm_worker.offers import Offer, current_offer
from trtfarm_worker.pace import Pace, Share
from trtfarm_worker.places import Place, Places
from trtfarm_worker.standing import Standing
from trtfarm_worker.stopping import Stopping
from trtfarm_worker.toolchains.toolchain import Toolchain

#: Where few light jobs come at a time, a worker rests for so long. What comes meanwhile shares the next claim and
#: commit: under load this is what leaves the processors to the jobs.
_REST_SECONDS = 0.25


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
        self._owner = owner
        self._toolchains = toolchains
        self._places = places or Places(farm.settings.slots)
        self._pace = Pace()
        self._stopping = Stopping()
        #: Held by the thread that does jobs of which two threads would not do more.
        self._alone = threading.Lock()
        self._doing = Doing(
            farm,
            Attempts(farm, listener=listener, pace=self._pace, build=build),
            publish=publish,
            pace=self._pace,
            standing=standing or Standing(),
            stopping=self._stopping,
        )

    def offer(self) -> Offer:
        """What can be done here now."""
        return current_offer(self._toolchains(), self._places, self._farm.settings.worker_labels)

    def reserve(self, opening: Opening) -> Place | None:
        """Room for a job that takes this, for `run`; None if there is none now."""
        return None if self._stopping.asked else self._places.take(opening)

    def run(self, job_id: str, place: Place | None = None) -> bool:
        """Does the job in a place that was reserved for it, or else in one that is free.

        False if it is not queued (any more), has no place, or if this runner was stopped. A job that fails is no error
        here. Raises StorageError when the database cannot be told how the job ended; then its lease runs out.
        """
        try:
            place = place or self.reserve(self._farm.jobs.get(job_id).need.opening)
        except NotFoundError:
            return False
        return place is not None and self._run_in(place, lambda: self._claim_only(job_id)) > 0

    def run_next(self) -> bool:
        """Does the job whose turn it is of those that can be done here now; False if there is none, or no place.

        Where jobs take but a moment, also some of those that come next.
        """
        offer = self.offer()
        seen = self._farm.jobs.look(offer.capabilities, offer.station)
        return any(self._run_of(opening, offer, seen) for opening in seen.openings)

    @property
    def idle(self) -> bool:
        """Whether no job runs here."""
        return self._stopping.idle

    def stop(self) -> None:
        """Ends the builders that run now; their jobs go back to the queue without having lost an attempt."""
        self._stopping.ask()

    def _claim_only(self, job_id: str) -> list[Claim]:
        claim = self._farm.jobs.claim(job_id, self._owner)
        return [claim] if claim else []

    def _run_of(self, opening: Opening, offer: Offer, seen: Look) -> bool:
        """Does what is worth doing together of the jobs whose turn it is; False if there is none, or no place."""
        share = self._pace.share(opening.capability)
        if not share.alone:
            return bool(self._run_share(opening, offer, seen, share))
        if not self._alone.acquire(blocking=False):
            return False  # the thread that has it looks again before it leaves
        try:
            done = self._run_share(opening, offer, seen, share)
            if 0 < done < share.most:
                self._stopping.wait(_REST_SECONDS)
            return bool(done)
        finally:
            self._alone.release()

    def _run_share(self, opening: Opening, offer: Offer, seen: Look, share: Share) -> int:
        """How many jobs were claimed, and done."""
        place = self.reserve(opening)
        if place is None:
            return 0
        capability, station = opening.capability, place.station(offer.labels)
        claim = partial(
            self._farm.jobs.claim_several,
            self._owner,
            capability,
            offer.capabilities,
            station,
            most=share.most,
            anyway=share.anyway,
            seen=seen,
        )
        return self._run_in(place, claim)

    def _run_in(self, place: Place, claim: Callable[[], Sequence[Claim]]) -> int:
        """Does what can be claimed, and gives the place back; returns how many jobs it was."""
        try:
            claims = [] if self._stopping.asked else claim()
            if claims:
                self._doing.all_of(Hand(claims), place, tuple(self._toolchains()))
            return len(claims)
        finally:
            place.give_back()
