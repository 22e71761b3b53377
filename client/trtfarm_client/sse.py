"""Server-sent events: lines of text as events, whoever reads the lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from trtfarm.errors import ServerError

#: What the last event of a stream is called.
LAST = "end"


@dataclass(frozen=True, kw_only=True)
class ServerEvent:
    """`id` is where to go on after a break: the last one that was given, on this event or before it."""

    kind: str
    data: Any
    id: str | None


class EventReader:
    """Takes lines without their ends, and gives an event at each blank line that ends one."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self._kind = ""
        self._data: list[str] = []

    def headers(self) -> dict[str, str]:
        """What asks for events, from the last one on."""
        resumed = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        return {"Accept": "text/event-stream", **resumed}

    def feed(self, line: str) -> ServerEvent | None:
        """Raises ServerError for data that is not JSON."""
        if not line:
            return self._event()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value or None
        return None

    def cut(self) -> None:
        """The connection broke: what had come of an event is not to be mixed with the next one."""
        self._kind, self._data = "", []

    def _event(self) -> ServerEvent | None:
        kind, text = self._kind or "message", "\n".join(self._data)
        self.cut()
        if not text:
            return None
        try:
            return ServerEvent(kind=kind, data=json.loads(text), id=self.last_id)
        except (ValueError, RecursionError) as error:
            raise ServerError("the server sent an event that is not JSON", cause=text[:200]) from error
