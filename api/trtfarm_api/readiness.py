"""Whether what the server needs answers: load balancers ask for it every few seconds, and wait for no database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import anyio.to_thread

from trtfarm.errors import TrtfarmError

_log = logging.getLogger(__name__)

#: What has not answered after so many seconds does not answer.
ANSWER_SECONDS = 5.0


class Readiness:
    """What the server needs, by name. However many ask for one, it is asked once: what hangs holds a single thread."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    async def answers(self, what: str, ask: Callable[[], object]) -> bool:
        """Whether `ask`, in a thread of its own, returns in time, and without one of our errors."""
        task = self._under_way.get(what)
        if task is None or task.done():
            task = self._under_way[what] = asyncio.create_task(_answered(what, ask))
        await asyncio.wait([task], timeout=ANSWER_SECONDS)
        if not task.done():
            _log.warning("the %s has not answered for %g s", what, ANSWER_SECONDS)
            return False
        return task.result()


async def _answered(what: str, ask: Callable[[], object]) -> bool:
    """Why it failed stands in the log: paths and hosts are not for everybody."""
    try:
        await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except TrtfarmError as error:
        _log.warning("the %s does not answer: %s", what, error)
        return False
    return True
