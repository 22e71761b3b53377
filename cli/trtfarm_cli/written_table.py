"""Tables that were written to files, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm_cli import output
from trtfarm_cli.files import write_new

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable


def write_table(
    destination: Path, table: CalibrationTable, result: Mapping[str, Any], *, json: bool, details: str = ""
) -> None:
    """Writes `table`; `details` ends the line that says so.

    `result` is the step's answer, with the tensors that got no scale (`skipped`), or one that was `assumed`.
    """
    write_new(destination, table.render())
    if json:
        output.emit_json({"path": str(destination), "header": str(table.header), **result})
        return
    for skipped in result["skipped"]:
        output.say(f"no scale for {skipped['tensor']}: {skipped['reason']}")
    for assumed in result.get("assumed", ()):
        output.say(f"{assumed['tensor']} is {assumed['reason']}")
    output.emit(f"{destination}: {table.header}, {output.counted(len(table.scales), 'tensor')}{details}")


def say_written(path: Path, table: CalibrationTable, *, json: bool) -> None:
    """Says what was written, of a table that nobody calibrated now."""
    if json:
        output.emit_json({"path": str(path), "header": str(table.header), "tensors": len(table.scales)})
    else:
        output.emit(f"{path}: {table.header}, {output.counted(len(table.scales), 'tensor')}")
