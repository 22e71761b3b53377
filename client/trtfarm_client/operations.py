"""Work of minutes on the server, which tells how far it is until it is done: a flow for both clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtfarm.errors import ServerError, TrtfarmError, UnreachableError, error_from_dict
from trtfarm_client.call import Call, Listen, Pause
from trtfarm_client.flows import Flow
from trtfarm_client.patience import Patience
from trtfarm_client.sse import LAST, ServerEvent

Facts = dict[str, Any]
#: Hears how many of how many files are done.
Tell = Callable[[int, int], None]
#: Hears each event but the last.
Hear = Callable[[ServerEvent], None]


def untold(_done: int, _total: int) -> None:
    """For those who do not want to know how far it is."""


def unheard(_event: ServerEvent) -> None:
    """For those who only want the answer."""


def operating(call: Call[Facts], patience: Patience, tell: Tell) -> Flow[Facts]:
    """What the work gave. It is asked for again only where it had not begun: its answer is of all that it did."""

    def hear(event: ServerEvent) -> None:
        if event.kind == "progress":
            tell(int(event.data["done"]), int(event.data["total"]))

    while True:
        heard = _Heard(hear)
        try:
            yield Listen(call=call, hear=heard.hear)
        except TrtfarmError as error:
            if heard.begun and isinstance(error, UnreachableError):
                raise UnreachableError(
                    error.message,
                    cause=f"{error.cause or 'the connection broke'}, and with it ended what was under way",
                    remedy="do it again: what was done stays done, and the rest is found again",
                ) from error
            if heard.begun:
                raise
            yield Pause(seconds=patience.pause_after(error))
        else:
            return call.parse(heard.answer)


def joining(call: Call[Facts], patience: Patience, hear: Hear) -> Flow[Facts]:
    """The answer of work that goes on by itself: after a break it is asked for again, and joined."""
    while True:
        heard = _Heard(hear)
        try:
            yield Listen(call=call, hear=heard.hear)
        except TrtfarmError as error:
            if heard.begun and not isinstance(error, UnreachableError):
                raise
            if heard.begun:
                patience.renew()
            yield Pause(seconds=patience.pause_after(error))
        else:
            return call.parse(heard.answer)


class _Heard:
    """What came of one answer."""

    def __init__(self, hear: Hear) -> None:
        self.begun = False
        self.answer: Any = None
        self._hear = hear

    def hear(self, event: ServerEvent) -> None:
        """Raises the error that the work ended with."""
        if not isinstance(event.data, dict):
            raise ServerError("the server sent an event that is no JSON object")
        if event.kind == "error":
            raise error_from_dict(event.data)
        self.begun = True
        if event.kind == LAST:
            self.answer = event.data
        else:
            self._hear(event)
