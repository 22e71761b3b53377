"""What a list is asked by, as the catalogue takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtfarm.catalog.filters import Filter
from trtfarm.catalog.window import Window
from trtfarm_cli.farms.within import Within


def filter_of(filters: Mapping[str, str | None], within: Within) -> Any:
    words: Any = {"compute_capability" if name == "target" else name: value for name, value in filters.items()}
    return Filter(**words, accuracy=within.accuracy)


def window_of(within: Within) -> Window:
    return Window(since=within.since, until=within.until)
