"""Who asks, and whether they may.

Where nobody has made a token yet and the server hears this machine alone, its users are let in as they are: the files
are theirs anyway. Their browsers are not: a page from elsewhere must not reach the farm through them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from trtfarm.errors import AccessError, ForbiddenError
from trtfarm.farm import Farm
from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.tokens import Scope, Token, any_token, token_of
from trtfarm_api.parameters import check_parameters
from trtfarm_api.service import service_of

LOCAL = "local"
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})
#: What proxies add; not all of them do.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_bearer = HTTPBearer(auto_error=False, description="A token that `trtfarm tokens create` made.")


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Whoever asks: a token, or a user of this machine where none is needed."""

    token: Token | None = None

    @property
    def id(self) -> str:
        return self.token.id if self.token else LOCAL

    @property
    def project(self) -> str:
        return self.token.project if self.token else DEFAULT_PROJECT

    @property
    def sees(self) -> str | None:
        """The project whose things are seen; None where that is everything (`catalog.visibility`)."""
        return None if self.allows(Scope.ADMIN) else self.project

    def allows(self, scope: Scope) -> bool:
        return self.token is None or self.token.allows(scope)


def farm_of(request: Request) -> Farm:
    return service_of(request).farm


def needs(scope: Scope) -> Callable[..., Actor]:
    """The dependency of a route that a scope opens; it gives who asks.

    Raises AccessError, ForbiddenError, and UsageError for a parameter that the route lacks.
    """

    def actor(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Actor:
        found = _actor(request, credentials)
        request.state.actor = found
        if not found.allows(scope):
            raise ForbiddenError(
                f"this token does not allow to {scope}" if scope is not Scope.ADMIN else "this is for admins",
                remedy=f"use one that was made with --scope {scope}",
            )
        # Not before: who may not ask is not told what there is to ask.
        check_parameters(request)
        return found

    return actor


def _actor(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Actor:
    with farm_of(request).database.read() as session:
        if credentials is not None:
            token = token_of(session, credentials.credentials)
            if token is None:
                raise AccessError(
                    "this token opens nothing",
                    cause="it is unknown, expired or revoked",
                    remedy="have another one made: trtfarm tokens create",
                )
            return Actor(token=token)
        if request.headers.get("authorization") is not None:
            raise AccessError("this is no token", remedy="send one as Authorization: Bearer TOKEN")
        if not service_of(request).public and not any_token(session):
            _check_not_a_web_page(request)
            return Actor()
    raise AccessError(
        "a token is needed here", remedy="trtfarm login, or TRTFARM_TOKEN; in a request, Authorization: Bearer TOKEN"
    )


def _check_not_a_web_page(request: Request) -> None:
    """Raises ForbiddenError for a browser that another site's page, or another site's name, sent here."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if _name_of(host) not in _THIS_MACHINE:
        cause = f"the request was for {host[:80]!r}"
    elif origin is not None and _name_of(origin.partition("://")[2]) not in _THIS_MACHINE:
        cause = "it came from a web page of another site"
    elif any(name in request.headers for name in _OF_PROXIES):
        cause = "it came through a proxy, and nobody knows from where"
    else:
        return
    raise ForbiddenError(
        "without a token this server answers this machine only",
        cause=cause,
        remedy="use http://127.0.0.1, or make a token: trtfarm tokens create",
    )


def _name_of(authority: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    name, bracket, _ = authority.partition("]")
    return name + bracket if bracket else authority.partition(":")[0]


FarmHere = Annotated[Farm, Depends(farm_of)]
Reader = Annotated[Actor, Depends(needs(Scope.READ))]
Submitter = Annotated[Actor, Depends(needs(Scope.SUBMIT))]
Admin = Annotated[Actor, Depends(needs(Scope.ADMIN))]
