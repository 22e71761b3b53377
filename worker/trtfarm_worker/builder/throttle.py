"""Keeps a talkative builder from flooding whoever listens: the database, the terminal."""

from __future__ import annotations

from trtfarm_worker.builder.events import LogLine, Progress

_LOG_LINES = 1000
_PER_SECOND = 20.0
_BURST = 40.0


class Throttle:
    """Admits the first 1,000 log lines, and progress as a token bucket does: 40 at once, then 20 a second."""

    def __init__(self) -> None:
        self._lines = 0
        self._tokens = _BURST
        self._last = 0.0
        self._held: Progress | None = None

    def admits(self, event: Progress | LogLine, now: float) -> bool:
        """Whether to pass `event` on at the time `now`, in seconds of any clock that does not go back."""
        if isinstance(event, LogLine):
            self._lines += 1
            return self._lines <= _LOG_LINES
        self._tokens = min(_BURST, self._tokens + (now - self._last) * _PER_SECOND)
        self._last = now
        if self._tokens < 1:
            self._held = event
            return False
        self._tokens -= 1
        self._held = None
        return True

    def leftover(self) -> list[Progress | LogLine]:
        """What is still to be told at the end: the last progress if it was held back, and how many lines were."""
        events: list[Progress | LogLine] = [self._held] if self._held else []
        if self._lines > _LOG_LINES:
            dropped = self._lines - _LOG_LINES
            events.append(LogLine(level="warning", text=f"{dropped} more lines of the builder's log are left out"))
        return events
