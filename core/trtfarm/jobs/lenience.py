"""Whether a lease that has run out says that its worker is gone, or only that nobody could renew it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: Seconds between two looks that say nothing of the database: who looks may have had to wait for its turn.
_USUAL_SECONDS = 6.0


class Lenience:
    """For one who looks again and again for leases that have run out.

    Where it could not reach the database for a good part of a lease, those who renew theirs could not either, perhaps:
    from then on all leases count as if they were renewed at that moment. So they do when it begins, as its host may
    have been down together with the database. Who holds a lease renews it within seconds; the jobs of workers that
    died meanwhile wait for a lease more.
    """

    def __init__(self, lease_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._reached = -math.inf
        self._until = math.inf

    def over(self) -> bool:
        """Whether leases that have run out count; to be asked when the database has just answered."""
        now = self._clock()
        if now - self._reached > max(_USUAL_SECONDS, self._lease_seconds / 2):
            self._until = now + self._lease_seconds
        return now >= self._until

    def reached(self) -> None:
        """The database did all that it was asked to."""
        self._reached = self._clock()
