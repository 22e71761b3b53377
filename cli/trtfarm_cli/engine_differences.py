"""How two engines differ, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trtfarm_cli import output

if TYPE_CHECKING:
    from trtfarm.catalog.differences import EngineDiff, Pair

#: Names of nodes that are shown of each list; --json has all.
_SHOWN = 20


def show_differences(found: EngineDiff) -> None:
    """What differs, a line each; then the layers by what they compute in, and the nodes that go another way."""
    if found.same_plan:
        output.emit("the same plan, byte for byte")
    if rows := list(_rows(found)):
        output.emit_table(rows, dict.fromkeys(("what", "first", "second")))
    output.emit()
    output.emit_table(
        [
            {"computes in": word, "first": _layers(found, word, 0), "second": _layers(found, word, 1)}
            for word in {**found.layers, **found.milliseconds}
        ],
        dict.fromkeys(("computes in", "first", "second")),
    )
    if moved := found.computed_otherwise:
        output.emit()
        named = [{"computed otherwise": node.name, "first": node.left, "second": node.right} for node in moved]
        output.emit_table(named[:_SHOWN], dict.fromkeys(("computed otherwise", "first", "second")))
        _say_more(len(moved))
    for which, nodes in zip(("first", "second"), found.left_in_float, strict=True):
        for node in nodes[:_SHOWN]:
            output.emit(f"left in floating point only in the {which}: {node}")
        _say_more(len(nodes))


def _say_more(count: int) -> None:
    if count > _SHOWN:
        output.say(f"and {count - _SHOWN} more: --json has all")


def _rows(found: EngineDiff) -> Iterator[dict[str, Any]]:
    for word, pairs in (
        ("", found.facts),
        ("option ", found.options),
        ("shapes of ", found.profiles),
        ("tensor ", found.io),
        ("accuracy: ", found.accuracy),
    ):
        yield from _in_words(word, pairs)


def _in_words(word: str, pairs: Mapping[str, Pair]) -> Iterator[dict[str, Any]]:
    for name, (left, right) in pairs.items():
        told = f"{word}{name.replace('_', ' ')}" if not word else f"{word}{name}"
        yield {"what": told, "first": _value(name, left), "second": _value(name, right)}


def _value(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name == "size":
        return output.size(value)
    if name == "model_digest":
        return output.short_digest(value)
    return f"{value:.6g}" if isinstance(value, float) else output.one_line(value)


def _layers(found: EngineDiff, word: str, which: int) -> str | None:
    count = found.layers.get(word, (None, None))[which]
    took = found.milliseconds.get(word, (None, None))[which]
    if count is None:
        return None
    return output.counted(count, "layer") + (f", {took:.4g} ms" if took is not None else "")
