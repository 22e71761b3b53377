"""A TensorRT's log: all of it into a file, warnings and errors to the supervisor, the last errors for the failure.

TensorRT and TensorRT-RTX each have a logger class of their own to inherit from; what they share is here.
"""

from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Deque, Iterator, List, Optional

from trtfarm_builder.channel import Channel

#: A builder at VERBOSE writes some hundred bytes per node and pass.
_FILE_BYTES = 64 << 20
_LEVELS = {"INTERNAL_ERROR": "error", "ERROR": "error", "WARNING": "warning"}


class BuildLog:
    """Called from TensorRT's threads, which drop what a callback raises; so the first error is kept for `check`."""

    def __init__(self, path: Path, channel: Channel) -> None:
        self._file = path.open("w", encoding="utf-8", errors="replace")
        self._room = _FILE_BYTES
        self._channel = channel
        self._last_errors: Deque[str] = deque(maxlen=8)
        self._raised: Optional[BaseException] = None
        self._aside: Optional[List[str]] = None

    def log(self, severity: Any, msg: str) -> None:
        """TensorRT's callback; `severity` is a member of its ILogger.Severity."""
        try:
            self.take(severity.name, msg)
        except BaseException as error:  # noqa: BLE001 - would vanish in TensorRT; `check` raises it again
            self._raised = self._raised or error

    def take(self, severity: str, msg: str) -> None:
        """Keeps one message."""
        level = _LEVELS.get(severity)
        if level == "error" and self._aside is not None:
            self._aside.append(msg)
        elif level == "error":
            self._last_errors.append(msg)
            self._channel.log(msg, level)
        elif level:
            self._channel.log(msg, level)
        if level or self._room > 0:
            self._room -= self._file.write("[{}] {}\n".format(severity, msg))

    def last_errors(self) -> Optional[str]:
        """TensorRT's own last words on what went wrong; None when it said nothing."""
        return "\n".join(self._last_errors) or None

    @contextmanager
    def aside(self) -> Iterator[List[str]]:
        """Errors said meanwhile go into the list and the file, and nobody else hears of them: the caller judges."""
        said: List[str] = []
        self._aside = said
        try:
            yield said
        finally:
            self._aside = None

    @property
    def failed(self) -> bool:
        return self._raised is not None

    def check(self) -> None:
        """Raises what a callback raised, and brings the file up to date."""
        if self._raised is not None:
            raise self._raised
        self._file.flush()
