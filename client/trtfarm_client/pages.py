"""Lists in pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trtfarm.errors import ServerError

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Item]):
    """Part of a list, newest first; `next` is the cursor of what comes after, None at the end."""

    items: tuple[Item, ...]
    next: str | None


def page_of(item: Callable[[Any], Item]) -> Callable[[Any], Page[Item]]:
    """Reads a page whose items `item` reads."""

    def read(data: Any) -> Page[Item]:
        items, cursor = items_of(item)(data), data.get("next")
        if not isinstance(cursor, str | None):
            raise ServerError("the server's answer is no page of a list", remedy="see that server and client fit")
        return Page(items=tuple(items), next=cursor)

    return read


def items_of(item: Callable[[Any], Item]) -> Callable[[Any], list[Item]]:
    """Reads a list that comes whole."""

    def read(data: Any) -> list[Item]:
        if not isinstance(data, dict) or not isinstance(data.get("items"), list):
            raise ServerError("the server's answer is no list", remedy="see that the URL is that of a farm's API")
        return [item(one) for one in data["items"]]

    return read
