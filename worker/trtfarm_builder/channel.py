"""The way back to the supervisor: JSON lines on a pipe of its own, because native libraries print on stdout."""

import json
import os
import threading
from typing import Any, Dict, Optional


class Channel:
    """Writes events to the supervisor; safe to call from any thread (TensorRT logs from its own)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def progress(self, stage: str, done: int, total: Optional[int] = None, unit: str = "steps") -> None:
        """Tells how far a stage is; the supervisor takes any event as a sign of life."""
        self._send({"event": "progress", "stage": stage, "done": done, "total": total, "unit": unit})

    def log(self, text: str, level: str = "info") -> None:
        """One line for the job's log; `level` is debug, info, warning or error."""
        self._send({"event": "log", "level": level, "text": text})

    def hand_over(self, result: Dict[str, Any]) -> None:
        """What is worth keeping already, however the step ends; files as in an answer, and they stay as they are."""
        self._send({"event": "handed over", "result": result})

    def answer(self, result: Dict[str, Any]) -> None:
        """The result; the last event of a child that did its work. Files are named relative to the scratch folder."""
        self._send({"event": "answer", "result": result})

    def failure(
        self, code: str, message: str, cause: Optional[str], remedy: Optional[str], trace: Optional[str]
    ) -> None:
        """Why there is no result; the last event of a child that could not do its work."""
        self._send(
            {"event": "failure", "code": code, "message": message, "cause": cause, "remedy": remedy, "trace": trace}
        )

    def _send(self, event: Dict[str, Any]) -> None:
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        with self._lock:
            # A pipe takes long lines in pieces; the lock keeps lines of two threads apart.
            while line:
                line = line[os.write(self._descriptor, line) :]
