"""Which part of a list is wanted: lists are newest first, and a page begins after the last row of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_

Rows = TypeVar("Rows", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, kw_only=True)
class Position:
    """A row's place in a list. It stays what it is while rows come and go, unlike a number of rows to skip."""

    created: datetime
    id: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows after a position, made at `since` or later and before `until`; None asks for nothing."""

    after: Position | None = None
    since: datetime | None = None
    until: datetime | None = None

    def newest_first(self, statement: Rows, columns: Any, *, limit: int) -> Rows:
        """The statement's rows within the window, by the `created` and `id` of `columns`: one range of their index."""
        wanted = statement.where(*self._conditions(columns))
        return wanted.order_by(columns.created.desc(), columns.id.desc()).limit(limit)

    def _conditions(self, columns: Any) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.after is not None:
            conditions.append(tuple_(columns.created, columns.id) < (self.after.created, self.after.id))
        if self.since is not None:
            conditions.append(columns.created >= self.since)
        if self.until is not None:
            conditions.append(columns.created < self.until)
        return conditions


EVERYTHING = Window()
