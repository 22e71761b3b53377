"""How two tables differ, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtfarm_cli import output

if TYPE_CHECKING:
    from trtfarm.tables.differences import TableDiff

#: Tensors that are shown, those that differ most first.
_WIDEST = 20


def show_differences(found: TableDiff) -> None:
    if found.headers:
        output.emit(f"header: {found.headers[0]} -> {found.headers[1]}")
    largest = f", by up to {output.exact_share(found.max_relative)}" if found.changed else ""
    output.emit(f"equal scales: {found.equal}, changed: {len(found.changed)}{largest}")
    for name in found.only_left:
        output.emit(f"only in the first: {name}")
    for name in found.only_right:
        output.emit(f"only in the second: {name}")
    if worst := found.worst(_WIDEST):
        rows = [{"tensor": c.tensor, "first": c.left, "second": c.right, "ratio": f"{c.ratio:.9g}"} for c in worst]
        output.emit_table(rows, dict.fromkeys(("tensor", "first", "second", "ratio")))
