"""What only those ask who run a farm: each function makes the call for one route of its API."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from trtfarm.audit import AuditEntry
from trtfarm.jobs.sharing import Share
from trtfarm.projects import Project, check_share
from trtfarm.retention.policy import Policy
from trtfarm_client.call import Call, named
from trtfarm_client.calls import facts, in_pages, listed, post
from trtfarm_client.pages import Page, items_of
from trtfarm_client.records import MadeToken, TokenRecord
from trtfarm_client.values import value_of

Facts = dict[str, Any]


def change_worker(text: str, wish: str) -> Call[Facts]:
    """`wish` is `pause`, `drain` or `resume`."""
    return post(f"{named('workers', 'worker', text)}/{wish}", None, facts)


def sign_engines(texts: Sequence[str]) -> Call[list[str]]:
    return post("/v1/engines/signatures", {"engines": list(texts)}, listed("signed"), repeatable=False)


def set_project(project: str, weight: int, max_running: int | None) -> Call[Project]:
    check_share(project, Share(weight=weight, max_running=max_running))
    body = {"weight": weight, "max_running": max_running}
    return Call(
        method="PUT", path=f"/v1/projects/{quote(project, safe='')}", parse=partial(value_of, Project), body=body
    )


def tokens() -> Call[list[TokenRecord]]:
    return Call(method="GET", path="/v1/tokens", parse=items_of(partial(value_of, TokenRecord)))


def create_token(name: str, scopes: Collection[str], project: str, days: float | None) -> Call[MadeToken]:
    """Not repeatable: a token whose answer was lost would stay, known to nobody."""
    body = {"name": name, "scopes": list(scopes), "project": project, "days": days}
    return post("/v1/tokens", body, partial(value_of, MadeToken), repeatable=False)


def revoke_token(text: str) -> Call[TokenRecord]:
    return post(named("tokens", "token", text) + "/revoke", None, partial(value_of, TokenRecord))


def audit(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[AuditEntry]]:
    return in_pages("/v1/audit", AuditEntry, filters, limit, cursor)


def clean(policy: Policy, garbage_after: float, *, dry_run: bool) -> Call[Facts]:
    body = {
        "unused_for": _seconds(policy.unused_for),
        "total_bytes": policy.total_bytes,
        "tables_unused_for": _seconds(policy.tables_unused_for),
        "data_unused_for": _seconds(policy.data_unused_for),
        "garbage_after": garbage_after,
        "dry_run": dry_run,
    }
    return post("/v1/clean", body, facts)


def check_up(*, repair: bool) -> Call[Facts]:
    return post("/v1/fsck", {"repair": repair}, facts)


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()
