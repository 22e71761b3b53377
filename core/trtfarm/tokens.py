"""Tokens: what a client shows to be let in. The farm keeps their digests, so nobody can read one out of it."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from trtfarm.catalog.lookup import find_one
from trtfarm.database.access import TokenRow
from trtfarm.database.clock import from_now, now
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import UsageError
from trtfarm.ids import new_id
from trtfarm.projects import DEFAULT_PROJECT, checked_name

#: So that scanners of repositories and logs know one when they see it.
_PREFIX = "trtfarm_"
#: 256 bits: a fast digest is enough for what nobody can guess.
_SECRET_BYTES = 32
_DAY = 24 * 3600.0


class Scope(StrEnum):
    """What a token allows; each of them allows to read."""

    #: See what is there, and download it.
    READ = "read"
    #: Hand in models and data, and have them built.
    SUBMIT = "submit"
    #: Report results. No route asks for it: workers open the database themselves.
    WORKER = "worker"
    #: Everything, of every project.
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    project: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    def allows(self, scope: Scope) -> bool:
        return scope is Scope.READ or scope in self.scopes or Scope.ADMIN in self.scopes


def create_token(
    database: Database,
    *,
    name: str,
    scopes: Collection[Scope],
    project: str = DEFAULT_PROJECT,
    days: float | None = None,
) -> tuple[str, Token]:
    """The secret, which nobody can ask for again, and the token. Raises UsageError."""
    _check(name, scopes, project, days)
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    row = TokenRow(
        id=new_id("tok"),
        name=name,
        digest=digest_of_bytes(secret.encode()),
        scopes=sorted(scope.value for scope in set(scopes)),
        project=project,
        expires=None if days is None else from_now(days * _DAY),
    )
    with database.write() as session:
        session.add(row)
        session.flush()
        session.refresh(row)
        return secret, _token(row)


def list_tokens(database: Database) -> list[Token]:
    """All of them, newest first, revoked ones too."""
    with database.read() as session:
        return [_token(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.id.desc()))]


def revoke_token(database: Database, text: str) -> Token:
    """Ends the token whose id is or starts with `text`, at once. Raises NotFoundError, UsageError."""
    with database.write() as session:
        row = find_one(session, TokenRow, text)
        unrevoked = TokenRow.id == row.id, TokenRow.revoked.is_(None)
        session.execute(update(TokenRow).where(*unrevoked).values(revoked=now()))
        session.refresh(row)
        return _token(row)


def token_of(session: Session, secret: str) -> Token | None:
    """The token of a secret; None for one that is unknown, expired or revoked."""
    wanted = select(TokenRow).where(TokenRow.digest == digest_of_bytes(secret.encode()), *_active())
    row = session.scalars(wanted).one_or_none()
    return None if row is None else _token(row)


def any_token(session: Session) -> bool:
    """Whether there is a token that lets anybody in."""
    return bool(session.scalar(select(exists().where(*_active()))))


def _active() -> tuple[ColumnElement[bool], ...]:
    return TokenRow.revoked.is_(None), or_(TokenRow.expires.is_(None), TokenRow.expires > now())


def _check(name: str, scopes: Collection[Scope], project: str, days: float | None) -> None:
    for what, text in (("name", name), ("project", project)):
        checked_name(text, f"{what} of a token")
    if not scopes:
        raise UsageError("a token without a scope opens nothing", remedy="use one of: " + ", ".join(Scope))
    if days is not None and not 0 < days <= 36_500:  # noqa: PLR2004 - a century
        raise UsageError(f"a token cannot last {days:g} days", remedy="use a number above 0, or leave it out")


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=tuple(map(Scope, row.scopes)),
        project=row.project,
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
