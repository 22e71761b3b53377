"""Query parameters that a route does not have, or would take one of: a filter that nobody looks at finds too much."""

from __future__ import annotations

from typing import get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant

from trtfarm.errors import UsageError


def check_parameters(request: Request) -> None:
    """Raises UsageError for an unknown one, which names those that there are, and for one that is given twice."""
    if not request.query_params:
        return
    dependant = request.scope["route"].dependant
    known = _names(dependant)
    if unknown := sorted(set(request.query_params) - known):
        raise UsageError(
            f"{request.url.path} has no parameter {unknown[0]!r:.80}",
            cause=f"it has {', '.join(sorted(known)) or 'none'}",
            remedy="see /v1/openapi.json; a filter may be newer than this server",
        )
    given = [name for name, _ in request.query_params.multi_items()]
    if twice := sorted({name for name in given if given.count(name) > 1} - _repeatable(dependant)):
        raise UsageError(f"{twice[0]} is given more than once", remedy="give it once, or ask once for each")


def _names(dependant: Dependant) -> frozenset[str]:
    """The query parameters of a route and of all that it depends on."""
    own = frozenset(field.alias for field in dependant.query_params)
    return own.union(*map(_names, dependant.dependencies))


def _repeatable(dependant: Dependant) -> frozenset[str]:
    """Those of which a route takes a list."""
    own = frozenset(field.alias for field in dependant.query_params if get_origin(field.field_info.annotation) is list)
    return own.union(*map(_repeatable, dependant.dependencies))
