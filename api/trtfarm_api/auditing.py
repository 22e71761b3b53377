"""The audit log: a row for every change that somebody was let in to ask for, with what became of it."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trtfarm.database.clock import now
from trtfarm.database.schema import AuditRow
from trtfarm.errors import TrtfarmError
from trtfarm_api.service import service_of
from trtfarm_api.tracing import request_id_of

_log = logging.getLogger(__name__)

#: PATCH only adds to an upload, whose beginning and end are in the log.
_CHANGES = frozenset({"POST", "PUT", "DELETE"})
#: Questions that are too long for a GET.
_QUESTIONS = frozenset({"/v1/blobs/missing", "/v1/submissions/plan"})
_LONGEST = 300


def note(request: Request, **facts: str) -> None:
    """Says for the log which rows a request made or changed."""
    request.state.facts = facts


class Auditing:
    """Middleware that writes the log after the answer has begun; what cannot be written stands in the server's log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _CHANGES or scope["path"] in _QUESTIONS:
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            connection = HTTPConnection(scope)
            if hasattr(connection.state, "actor"):
                await run_in_threadpool(_write, connection, scope["method"], status)


def _write(connection: HTTPConnection, method: str, status: int) -> None:
    actor, facts = connection.state.actor, getattr(connection.state, "facts", {})
    values: dict[str, Any] = {
        "actor": actor.id,
        "project": actor.project,
        "action": f"{method} {connection.url.path}"[:_LONGEST],
        "status": status,
        "request_id": request_id_of(connection),
        "facts": facts,
    }
    try:
        with service_of(connection).farm.database.write() as session:
            session.add(AuditRow(at=now(), **values))
    except TrtfarmError as error:
        _log.error("not in the audit log: %s (%s)", values, error)
