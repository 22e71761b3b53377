"""Lists in pages: the parameters that all lists have, and the form in which a page is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from trtfarm.catalog.window import Position, Window
from trtfarm.stored_names import FILE_NAME_CHARACTERS
from trtfarm_api.cursors import cursor_after, position_of
from trtfarm_api.forms import Moment

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 500

Item = TypeVar("Item")
#: What rows can be searched for; NUL is what PostgreSQL refuses in a text.
Text = Annotated[str | None, Query(max_length=FILE_NAME_CHARACTERS, pattern=r"^[^\x00]+$")]


class Page(BaseModel, Generic[Item]):
    """Part of a list, newest first."""

    items: list[Item]
    next: Annotated[str | None, Field(description="Hand this in as `cursor` for what comes after; null at the end.")]


class _Row(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def created(self) -> datetime: ...


@dataclass(frozen=True, kw_only=True)
class Paging:
    """What a client asked of a list beside its filters."""

    limit: int
    cursor: str | None
    since: datetime | None
    until: datetime | None

    def window(self, of: str, filters: Mapping[str, Any]) -> Window:
        """Raises UsageError for a cursor of another list, or for what is none."""
        after = None if self.cursor is None else position_of(self.cursor, of=of, filters=self._all(filters))
        return Window(after=after, since=self.since, until=self.until)

    @property
    def wanted(self) -> int:
        """Rows to look for: one more than are given tells whether there are more."""
        return self.limit + 1

    def page(self, of: str, filters: Mapping[str, Any], found: Sequence[_Row], items: Sequence[Item]) -> Page[Item]:
        """The page of these rows, of which `items` is the form that is given."""
        if len(found) <= self.limit:
            return Page(items=list(items), next=None)
        last = found[self.limit - 1]
        cursor = cursor_after(Position(created=last.created, id=last.id), of=of, filters=self._all(filters))
        return Page(items=list(items[: self.limit]), next=cursor)

    def _all(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return {**filters, "since": self.since, "until": self.until}


def _paging(
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="How many at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
    since: Annotated[Moment | None, Query(description="Made at this time or later.")] = None,
    until: Annotated[Moment | None, Query(description="Made before this time.")] = None,
) -> Paging:
    return Paging(limit=limit, cursor=cursor, since=since, until=until)


InPages = Annotated[Paging, Depends(_paging)]
