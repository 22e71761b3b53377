"""What happened in a campaign, line by line, from every process of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class History:
    """A file of JSON lines; each is one write, so that processes can share the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, what: str, **facts: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "what": what, **facts})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def of(self, what: str) -> list[dict[str, Any]]:
        """The lines of one kind."""
        if not self.path.exists():
            return []
        lines = map(json.loads, self.path.read_text().splitlines())
        return [line for line in lines if line["what"] == what]
