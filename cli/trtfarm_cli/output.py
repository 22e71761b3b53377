"""Where words go: data on stdout, everything told along the way on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_KIB = 1024


@cache
def console() -> Console:
    """The console on stderr; rich costs a tenth of a second, so it is imported when first written to."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line on stderr, without markup."""
    sys.stderr.write(text + "\n")


def emit_json(value: Any) -> None:
    """A JSON document on stdout; times in ISO 8601."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=_plain)
    sys.stdout.write("\n")


def emit_json_line(value: Any) -> None:
    """One JSON document on one line of stdout, for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def emit_fields(fields: Mapping[str, Any]) -> None:
    """Names and values, one per line, on stdout; what is not set is left out."""
    shown = {name.replace("_", " "): value for name, value in fields.items() if value not in (None, "", {}, [])}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        if isinstance(value, datetime):
            text = moment(value)
        elif isinstance(value, Mapping | list | tuple):
            text = json.dumps(value, ensure_ascii=False, default=_plain)
        else:
            text = str(value)
        sys.stdout.write(f"{name.ljust(width)}  {text}\n")


def emit_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Callable[[Any], str] | None]) -> None:
    """Rows as aligned text on stdout: a column's name -> how to write its values (None: as they are)."""
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [[_cell(row.get(name), form) for name, form in columns.items()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        sys.stdout.write("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n")


def size(count: int) -> str:
    """Bytes as people read them: 1.2 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _KIB or unit == "GiB":
            break
        value /= _KIB
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def short_digest(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def moment(time: datetime) -> str:
    """A time in the reader's own zone, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def share(value: float) -> str:
    return f"{value:.2%}"


def _cell(value: Any, form: Callable[[Any], str] | None) -> str:
    if value is None:
        return "-"
    return form(value) if form else str(value)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
