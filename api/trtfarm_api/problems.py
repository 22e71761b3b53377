"""Errors as HTTP: one form for all of them, and the one place that knows their status codes."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from trtfarm import errors
from trtfarm.errors import BusyError, NotFoundError, StorageError, TrtfarmError, UsageError
from trtfarm_api.service import service_of
from trtfarm_api.tracing import HEADER as REQUEST_ID
from trtfarm_api.tracing import request_id_of

_log = logging.getLogger(__name__)

#: The nearest class on an error's way up decides.
STATUS: dict[type[BaseException], int] = {
    errors.TrtfarmError: 500,
    errors.InputError: 422,
    errors.UsageError: 400,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.AccessError: 401,
    errors.ForbiddenError: 403,
    errors.TooLargeError: 413,
    errors.BusyError: 429,
    errors.ToolchainError: 409,
    errors.SignatureError: 409,
    errors.GateError: 409,
    errors.JobFailedError: 409,
    errors.ClaimLostError: 409,
    errors.StorageError: 503,
    errors.MissingBlobError: 410,
    errors.CorruptBlobError: 410,
    errors.DiskFullError: 507,
}
_RETRY_SECONDS = 1.0
#: Fields that do not fit that are told of one request.
_SHOWN_ERRORS = 5
_METHOD_NOT_ALLOWED = 405
_INTERNAL = 500


class Problem(BaseModel):
    """What went wrong, why, and what to do."""

    code: Annotated[str, Field(description="A stable word for programs.")]
    message: Annotated[str, Field(description="What happened.")]
    cause: Annotated[str | None, Field(description="Why, as far as it is known.")]
    remedy: Annotated[str | None, Field(description="What to do next.")]
    retryable: Annotated[bool, Field(description="Whether the same request may succeed later.")]
    request_id: Annotated[str, Field(description="What the server's log calls this request.")]


#: For the OpenAPI document: every route may answer so.
RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": {"model": Problem}, "5XX": {"model": Problem}}


def status_of(error: TrtfarmError) -> int:
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def answer(
    error: TrtfarmError, request_id: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response for an error, in the one form."""
    # What is unexpected is answered for outside of all middleware, where nobody else would name the request.
    status, told = status or status_of(error), {**(headers or {}), REQUEST_ID: request_id}
    if isinstance(error, errors.AccessError) and not isinstance(error, errors.ForbiddenError):
        told["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BusyError | StorageError) and error.retryable:
        told.setdefault("Retry-After", str(math.ceil(error.retry_after or _RETRY_SECONDS)))
    return JSONResponse({**error.as_dict(), "request_id": request_id}, status, told)


def install(app: FastAPI) -> None:
    """Gives the app the handlers that turn whatever was raised into the one form."""

    @app.exception_handler(TrtfarmError)
    def deliberate(request: Request, error: TrtfarmError) -> JSONResponse:
        return answer(_shown(error, request), request_id_of(request))

    @app.exception_handler(RequestValidationError)
    def unfit(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_told(error), request_id_of(request), 422)

    @app.exception_handler(HTTPException)
    def of_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        told: TrtfarmError = NotFoundError(f"there is nothing at {request.url.path}", remedy="see /v1/openapi.json")
        if error.status_code == _METHOD_NOT_ALLOWED:
            told = UsageError(f"{request.url.path} does not take {request.method}", remedy="see /v1/openapi.json")
        elif error.status_code == STATUS[errors.TooLargeError]:
            told = too_large()
        elif error.status_code != STATUS[NotFoundError]:
            told = UsageError(str(error.detail))
        return answer(told, request_id_of(request), error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    def gone(request: Request, _error: ClientDisconnect) -> JSONResponse:
        return answer(UsageError("the connection broke"), request_id_of(request))

    @app.exception_handler(PoolTimeoutError)
    def no_connection(request: Request, _error: PoolTimeoutError) -> JSONResponse:
        told = StorageError("the database has no free connection", remedy="try again in a moment")
        return answer(told, request_id_of(request))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        return answer(_shown(error, request), request_id_of(request), _INTERNAL)


def problem_of(error: Exception, request: Request) -> dict[str, Any]:
    """An error in the one form, for where a response has begun already."""
    return {**_shown(error, request).as_dict(), "request_id": request_id_of(request)}


def _shown(error: Exception, request: Request) -> TrtfarmError:
    """What a client is to see of an error; the rest is in the log."""
    if not isinstance(error, TrtfarmError):
        _log.error("request %s failed", request_id_of(request), exc_info=error)
        return TrtfarmError("something went wrong here", remedy="look for the request's id in the server's log")
    if not isinstance(error, StorageError):
        return error
    _log.error("request %s: %s", request_id_of(request), error)
    return _without_paths(error, service_of(request).farm.settings.home)


def _without_paths(error: StorageError, home: Path) -> StorageError:
    """Where the farm keeps what stands in the log, and is nobody else's business."""

    def told(text: str | None) -> str | None:
        return None if text is None else text.replace(str(home), "the farm's home")

    # A driver's own words name hosts, sockets and statements.
    cause = "the server's log has it" if isinstance(error.__cause__, DBAPIError) else told(error.cause)
    return type(error)(told(error.message) or "", cause=cause, remedy=error.remedy)


def too_large() -> errors.TooLargeError:
    """For a body that is not an upload's."""
    return errors.TooLargeError(
        "the request has too many bytes", remedy="upload files as blobs, and name their digests"
    )


def _told(error: RequestValidationError) -> UsageError:
    """What does not fit, by where it stands in the request; values are not repeated, they may be secret or long."""
    found = error.errors()
    lines = [f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in found[:_SHOWN_ERRORS]]
    more = [f"and {len(found) - _SHOWN_ERRORS} more"] if len(found) > _SHOWN_ERRORS else []
    return UsageError(
        "the request is not what is expected here", cause="\n".join(lines + more), remedy="see /v1/openapi.json"
    )
