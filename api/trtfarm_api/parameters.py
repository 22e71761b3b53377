"""Query parameters that a route does not have: refused, because a filter that nobody looks at finds everything."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant

from trtfarm.errors import UsageError


def check_parameters(request: Request) -> None:
    """Raises UsageError, which names those that there are."""
    if not request.query_params:
        return
    known = _names(request.scope["route"].dependant)
    if unknown := sorted(set(request.query_params) - known):
        raise UsageError(
            f"{request.url.path} has no parameter {unknown[0]!r:.80}",
            cause=f"it has {', '.join(sorted(known)) or 'none'}",
            remedy="see /v1/openapi.json; a filter may be newer than this server",
        )


def _names(dependant: Dependant) -> frozenset[str]:
    """The query parameters of a route and of all that it depends on."""
    own = frozenset(field.alias for field in dependant.query_params)
    return own.union(*map(_names, dependant.dependencies))
