"""What a builder process prints, kept within bounds."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType

from trtfarm_worker.builder.events import clean

_HEAD_BYTES = 4 << 20
_TAIL_BYTES = 64 << 10


class NativeLog:
    """A file that keeps the first 4 MiB and the last 64 KiB of what is written to it."""

    def __init__(self, path: Path, *, head_bytes: int = _HEAD_BYTES, tail_bytes: int = _TAIL_BYTES) -> None:
        self.path = path
        self._file = path.open("wb")
        self._room = head_bytes
        self._dropped = 0
        self._tail_bytes = tail_bytes
        self._chunks: deque[bytes] = deque()
        self._kept = 0

    def write(self, data: bytes) -> None:
        head = data[: self._room]
        self._file.write(head)
        self._room -= len(head)
        self._dropped += len(data) - len(head)
        self._chunks.append(data)
        self._kept += len(data)
        while self._kept - len(self._chunks[0]) >= self._tail_bytes:
            self._kept -= len(self._chunks.popleft())

    def tail(self, lines: int) -> str:
        """The last lines, fit for a message; empty when nothing was printed."""
        text = self._tail().decode("utf-8", "replace").strip()
        return clean("\n".join(text.splitlines()[-lines:])[-4096:])

    def _tail(self) -> bytes:
        return b"".join(self._chunks)[-self._tail_bytes :]

    def __enter__(self) -> NativeLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file as file:
            if self._dropped:
                rest = self._tail()[-self._dropped :]
                file.write(b"\n[%d bytes left out]\n%b" % (self._dropped - len(rest), rest))
