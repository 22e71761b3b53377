"""How many jobs a worker claims at once, by how long the last ones took it.

Most jobs take seconds to hours: they are claimed one by one. Where the builders of a capability take but a moment, the
statements and the commit around each job take longer than the job.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

#: Jobs are light where each of the last builders took less.
_LIGHT_SECONDS = 0.1
#: About how long jobs that were claimed together take, and so how long the result of the first one waits.
_TOGETHER_SECONDS = 0.5
_AT_MOST = 32
#: So many of the last jobs have to be known.
_KNOWN = 8


@dataclass(frozen=True)
class _Last:
    """Seconds of the last jobs of a capability: of their builders, and of all that was done for them."""

    builders: deque[float] = field(default_factory=lambda: deque(maxlen=_KNOWN))
    jobs: deque[float] = field(default_factory=lambda: deque(maxlen=_KNOWN))


class Pace:
    """Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, _Last] = {}

    def builder_took(self, capability: str, seconds: float) -> None:
        """Notes how long the builder of a job was at work."""
        with self._lock:
            self._last.setdefault(capability, _Last()).builders.append(seconds)

    def job_took(self, capability: str, seconds: float) -> None:
        """Notes how long all that was done for a job took, but for its commit."""
        with self._lock:
            self._last.setdefault(capability, _Last()).jobs.append(seconds)

    def at_once(self, capability: str) -> int:
        """How many jobs that need a capability are worth claiming together."""
        with self._lock:
            last = self._last.get(capability)
            if last is None or len(last.builders) < _KNOWN or max(last.builders) >= _LIGHT_SECONDS:
                return 1
            fitting = _TOGETHER_SECONDS * len(last.jobs) // max(sum(last.jobs), _TOGETHER_SECONDS / _AT_MOST)
        return max(1, min(_AT_MOST, int(fitting)))
