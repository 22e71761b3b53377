"""The id of a request: in its answer, in the log, in the audit log, and in every error."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trtfarm.ids import new_id

HEADER = "X-Request-ID"
_TAKEN = re.compile(r"[A-Za-z0-9._-]{1,40}")


class Tracing:
    """Middleware that gives each request an id: the client's own where it is a plain one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = HTTPConnection(scope).headers.get(HEADER, "")
        request_id = given if _TAKEN.fullmatch(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, named)


def request_id_of(request: HTTPConnection) -> str:
    return str(request.state.request_id)
