"""How much one client, and all of them together, may ask of a server at a time."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trtfarm.errors import BusyError, TrtfarmError
from trtfarm_api.problems import answer, too_large
from trtfarm_api.service import Limits, service_of
from trtfarm_api.tracing import request_id_of

#: Clients that are remembered; the longest silent one is forgotten first, and its allowance is full again by then.
_REMEMBERED = 10_000
#: What load balancers ask, which costs nothing. Behind a proxy everybody is one client, and whoever asks too much there
#: must not take the server out of service.
_PROBES = frozenset({"/v1/health", "/v1/ready"})
#: Bodies whose size their own route limits.
_STREAMED = "PATCH"
_TOO_LARGE = 413


@dataclass
class _Client:
    """`allowance` is how many requests it may make at `moment` (seconds of a clock that never goes back)."""

    allowance: float
    moment: float
    active: int = 0


class Limiting:
    """Middleware that refuses what is too much: 413 for a body, 429 with Retry-After for a request."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        limits = service_of(connection).limits
        client = self._client(_name_of(connection), limits)
        try:
            self._admit(client, limits)
            _check_length(connection, limits)
        except TrtfarmError as error:
            await answer(error, request_id_of(connection))(scope, receive, send)
            return
        client.active += 1
        self._active += 1
        try:
            await self._app(scope, _counted(scope, receive, limits), send)
        finally:
            client.active -= 1
            self._active -= 1

    def _client(self, name: str, limits: Limits) -> _Client:
        now = self._clock()
        client = self._clients.setdefault(name, _Client(allowance=limits.burst, moment=now))
        self._clients.move_to_end(name)
        if len(self._clients) > _REMEMBERED:
            self._clients.popitem(last=False)
        client.allowance = min(limits.burst, client.allowance + (now - client.moment) * limits.rate)
        client.moment = now
        return client

    def _admit(self, client: _Client, limits: Limits) -> None:
        """Raises BusyError."""
        if client.allowance < 1:
            error = BusyError("too many requests in too short a time", remedy="wait as long as Retry-After says")
            error.retry_after = (1 - client.allowance) / limits.rate
            raise error
        if client.active >= limits.of_client or self._active >= limits.of_all:
            whose = "of yours" if client.active >= limits.of_client else "of all clients"
            raise BusyError(f"too many requests {whose} are being answered", remedy="wait until some are")
        client.allowance -= 1


def _name_of(connection: HTTPConnection) -> str:
    """A token is only known here by its digest: what is remembered must not open anything."""
    authorization = connection.headers.get("authorization")
    if authorization:
        return hashlib.sha256(authorization.encode()).hexdigest()
    return connection.client.host if connection.client else ""


def _check_length(connection: HTTPConnection, limits: Limits) -> None:
    """Raises TooLargeError for a body that says itself that it is too large."""
    length = connection.headers.get("content-length", "")
    if connection.scope["method"] != _STREAMED and length.isdecimal() and int(length) > limits.body_bytes:
        raise too_large()


def _counted(scope: Scope, receive: Receive, limits: Limits) -> Receive:
    """Also counts a body that does not say how large it is."""
    if scope["method"] == _STREAMED:
        return receive
    came = 0

    async def counting() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > limits.body_bytes:
            # What FastAPI lets pass from where it reads a body; `problems` gives it its form.
            raise HTTPException(_TOO_LARGE)
        return message

    return counting
