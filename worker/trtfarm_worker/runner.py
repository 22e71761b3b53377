"""Finds jobs that can be done here, claims them in a place, and has them done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from trtfarm.errors import NotFoundError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Claim
from trtfarm.routing import Opening
from trtfarm_worker.attempt import Attempts, Build, Listener
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.doing import Doing
from trtfarm_worker.hand import Hand
from trtfarm_worker.offers import Offer, current_offer
from trtfarm_worker.pace import Pace
from trtfarm_worker.places import Place, Places
from trtfarm_worker.standing import Standing
from trtfarm_worker.stopping import Stopping
from trtfarm_worker.toolchains.toolchain import Toolchain


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

    def _claim_next(self, capability: str, offer: Offer, place: Place) -> list[Claim]:
        """Of the jobs whose turn it is, one that may be done in this place, or some that are worth doing together."""
        most, station = self._pace.at_once(capability), place.station(offer.labels)
        return self._farm.jobs.claim_several(self._owner, capability, offer.capabilities, station, most=most)

    def _run_in(self, place: Place, claim: Callable[[], Sequence[Claim]]) -> bool:
        """Does what can be claimed, and gives the place back."""
        try:
            claims = [] if self._stopping.asked else claim()
            if claims:
                self._doing.all_of(Hand(claims), place, tuple(self._toolchains()))
            return bool(claims)
        finally:
            place.give_back()
