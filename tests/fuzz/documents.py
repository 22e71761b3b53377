"""JSON documents that are nearly what is expected: real ones in which something became something else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

#: What no program of ours writes, and JSON can say.
_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1 << 31,
    1 << 63,
    10**400,
    1e308,
    1e-320,
    float("inf"),
    float("nan"),
    "",
    "\0",
    "\ud800",
    "\x1b[31m",
    "../../etc/passwd",
    "x" * 1000,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    [],
    {},
    [[[[[[[[[[]]]]]]]]]],
)

values = st.recursive(
    st.sampled_from(_ODD) | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def altered(documents: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of the documents in which up to four values, at any depth, are others, are gone, or were not there."""

    @st.composite
    def made(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
        whole = [copy.deepcopy(draw(st.sampled_from(documents)))]
        for _ in range(draw(st.integers(0, 4))):
            _alter(draw, whole)
        return whole[0]

    return made()


def _alter(draw: Callable[[st.SearchStrategy[Any]], Any], whole: list[Any]) -> None:
    holder: Any = whole
    key: Any = 0
    while isinstance(inner := holder[key], dict | list) and inner and draw(st.integers(0, 4)):
        holder, key = inner, draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
    what = draw(st.sampled_from(["value", "value", "of another", "gone", "added"]))
    if what == "gone" and holder is not whole:
        del holder[key]
    elif what == "added" and isinstance(holder[key], dict):
        holder[key][draw(st.text(max_size=8))] = copy.deepcopy(draw(values))
    elif what == "of another" and isinstance(holder, dict):
        holder[key] = copy.deepcopy(holder[draw(st.sampled_from(list(holder)))])
    else:
        holder[key] = copy.deepcopy(draw(values))
