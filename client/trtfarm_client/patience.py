"""How long a client goes on trying, and how long it waits in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from trtfarm.errors import BusyError, StorageError, TrtfarmError, UnreachableError

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 2.0
#: What may be over in a moment. A full disk or a lost blob is not.
_PASSING = (UnreachableError, BusyError)


class Patience:
    """Runs out some seconds after the last success; pauses double up to two seconds, or last as the server asks.

    Until the first success it may be less, `at_first`.
    """

    def __init__(
        self, seconds: float, *, at_first: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._pause = _FIRST_SECONDS
        self._until = clock() + (seconds if at_first is None else min(seconds, at_first))

    def another(self) -> Patience:
        """A new one of the same length, for questions in between whose success is none of the whole."""
        return Patience(self._seconds, clock=self._clock)

    def renew(self) -> None:
        """Something has worked."""
        self._pause = _FIRST_SECONDS
        self._until = self._clock() + self._seconds

    def pause_after(self, error: TrtfarmError) -> float:
        """Seconds to wait before another try; raises the error where there is to be none."""
        if not isinstance(error, _PASSING) and type(error) is not StorageError:
            raise error
        return self.pause_after_loss(error)

    def pause_after_loss(self, error: TrtfarmError) -> float:
        """The same for whatever there is a way on from. A server that says how long to wait is waited for as long."""
        pause = max(self._pause, error.retry_after or 0.0)
        if self._clock() + pause > self._until:
            raise error
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)
        return pause
