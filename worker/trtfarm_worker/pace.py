"""How many jobs a worker claims at once, by how long the last ones took it.

Most jobs take seconds to hours: they are claimed one by one. Where the builders of a capability take but a moment, the
statements and the commit around each job take longer than the job.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from statistics import fmean

#: Jobs are light where each of the last builders took less.
_LIGHT_SECONDS = 0.1
#: About how long jobs that were claimed together take, and so how long the result of the first one waits.
_TOGETHER_SECONDS = 0.5
_AT_MOST = 32
#: Jobs that take no longer together wait for each other, also where some worker has nothing to do: to wake that one,
#: and its claim and commit, would take as long.
_MOMENT_SECONDS = 0.1
#: So many of the last jobs have to be known.
_KNOWN = 8


@dataclass(frozen=True)
class _Last:
    """Seconds of the last jobs of a capability: of their builders, of all that was done for them, and of our processor
    meanwhile."""

    builders: deque[float] = field(default_factory=lambda: deque(maxlen=_KNOWN))
    jobs: deque[float] = field(default_factory=lambda: deque(maxlen=_KNOWN))
    processor: deque[float] = field(default_factory=lambda: deque(maxlen=_KNOWN))


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many jobs are worth claiming together, where so many wait for each worker."""

    most: int = 1
    #: So many are in any case.
    anyway: int = 1
    #: Whether they are to be claimed by one thread of this process at a time: what is done around the builders takes
    #: longer than these, and Python does it for one thread at a time.
    alone: bool = False


class Pace:
    """Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, _Last] = {}

    def builder_took(self, capability: str, seconds: float) -> None:
        """Notes how long the builder of a job was at work."""
        with self._lock:
            self._last.setdefault(capability, _Last()).builders.append(seconds)

    def job_took(self, capability: str, seconds: float, processor: float) -> None:
        """Notes how long all that was done for a job took, but for its commit, and how long this thread computed."""
        with self._lock:
            last = self._last.setdefault(capability, _Last())
            last.jobs.append(seconds)
            last.processor.append(processor)

    def share(self, capability: str) -> Share:
        """Of the jobs that need a capability, what is worth claiming now."""
        with self._lock:
            last = self._last.get(capability)
            if last is None or len(last.builders) < _KNOWN or max(last.builders) >= _LIGHT_SECONDS:
                return Share()
            seconds, building, computing = map(fmean, (last.jobs, last.builders, last.processor))
        return Share(
            most=_fitting(_TOGETHER_SECONDS, seconds),
            # Where the processors are busy with other things, another worker would wait for them, too.
            anyway=_fitting(_MOMENT_SECONDS, building + computing),
            alone=building < computing,
        )


def _fitting(together: float, seconds: float) -> int:
    return max(1, min(_AT_MOST, int(together / max(seconds, together / _AT_MOST))))
