"""Reading the audit log: which changes somebody was let in to ask for over HTTP, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from trtfarm.catalog.window import EVERYTHING, Position, Window
from trtfarm.database.access import AuditRow, TokenRow

_PREFIX = "aud_"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One change: `who` is a token's id, or `local` for whoever needed none; `name` is what the token is called.

    `action` is method and path, `status` the answer's, `facts` the ids of rows that were made or changed.
    """

    id: str
    at: datetime
    who: str
    name: str | None
    project: str
    action: str
    status: int
    request_id: str
    facts: Mapping[str, Any]

    @property
    def position(self) -> Position:
        return Position(created=self.at, id=self.id)


def find_entries(
    session: Session,
    *,
    who: str | None = None,
    what: str | None = None,
    project: str | None = None,
    limit: int,
    within: Window = EVERYTHING,
) -> list[AuditEntry]:
    """Up to `limit` entries, newest first.

    `who` is a token's id, its start, or its name; `what` any part of an action or of its facts, in capital letters or
    small ones.
    """
    wanted = select(AuditRow, TokenRow.name).outerjoin(TokenRow, TokenRow.id == AuditRow.actor)
    if who is not None:
        wanted = wanted.where(or_(AuditRow.actor.startswith(who, autoescape=True), TokenRow.name == who))
    if what is not None:
        texts = AuditRow.action, cast(AuditRow.facts, String)
        wanted = wanted.where(or_(*(text.icontains(what, autoescape=True) for text in texts)))
    if project is not None:
        wanted = wanted.where(AuditRow.project == project)
    # By number, as they were written: two of one moment have an order, too.
    if within.after is not None:
        wanted = wanted.where(AuditRow.id < _number(within.after.id))
    if within.since is not None:
        wanted = wanted.where(AuditRow.at >= within.since)
    if within.until is not None:
        wanted = wanted.where(AuditRow.at < within.until)
    return [_entry(row, name) for row, name in session.execute(wanted.order_by(AuditRow.id.desc()).limit(limit))]


def _entry(row: AuditRow, name: str | None) -> AuditEntry:
    return AuditEntry(
        id=f"{_PREFIX}{row.id}",
        at=row.at,
        who=row.actor,
        name=name,
        project=row.project,
        action=row.action,
        status=row.status,
        request_id=row.request_id,
        facts=row.facts,
    )


def _number(entry_id: str) -> int:
    """That of an entry's id; 0, before which there is none, for what is the id of something else."""
    digits = entry_id.removeprefix(_PREFIX)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < len(str(1 << 63)) else 0
