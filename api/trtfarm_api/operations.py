"""Work of minutes that somebody asked for: they are told how far it is until they get its answer, in one response.

Whoever hangs up ends it at its next step; all that is done so can be asked for again.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from sse_starlette import ServerSentEvent
from starlette.requests import Request

from trtfarm.errors import BusyError
from trtfarm_api.problems import problem_of

#: How often the client hears how far it is; the work itself wakes nobody.
_TELL_SECONDS = 0.5

Tell = Callable[[int, int], None]
Work = Callable[[Tell], Mapping[str, Any]]


class LeftError(Exception):
    """Nobody waits for the answer any more."""


class Operations:
    """One of a kind at a time: each of them holds the disk. `what` is how others are told of it meanwhile."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._free = threading.Lock()

    async def run(self, request: Request, work: Work) -> AsyncIterator[ServerSentEvent]:
        """`progress` with `done` and `total` now and then, and last `end` with what the work gave, or `error`."""
        if not self._free.acquire(blocking=False):
            error = BusyError(f"{self._what} is under way here already", remedy="try again when it is done")
            yield event_of("error", problem_of(error, request))
            return
        running, shown = _Running(), None
        outcome = asyncio.ensure_future(asyncio.to_thread(self._worked, request, work, running))
        try:
            while not outcome.done():
                if running.progress != shown:
                    shown = running.progress
                    yield event_of("progress", shown)
                await asyncio.wait({outcome}, timeout=_TELL_SECONDS)
        finally:
            running.left = True
        yield outcome.result()

    def _worked(self, request: Request, work: Work, running: _Running) -> ServerSentEvent:
        try:
            return event_of("end", work(running.tell))
        except LeftError:
            return event_of("end", {})
        except Exception as error:  # noqa: BLE001 - what a route's handlers do where a response has not begun
            return event_of("error", problem_of(error, request))
        finally:
            self._free.release()


class _Running:
    """How far the work is, and whether anybody still wants to know."""

    def __init__(self) -> None:
        self.progress = {"done": 0, "total": 0}
        self.left = False

    def tell(self, done: int, total: int) -> None:
        if self.left:
            raise LeftError
        self.progress = {"done": done, "total": total}


def event_of(kind: str, data: Mapping[str, Any]) -> ServerSentEvent:
    """An event without an id: whoever missed it asks again for all of them."""
    return ServerSentEvent(json.dumps(data), event=kind, sep="\n")
