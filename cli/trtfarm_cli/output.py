"""Where words go: data on stdout, everything told along the way on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from trtfarm_cli.stdout import ReaderGoneError

if TYPE_CHECKING:
    from rich.console import Console

_KIB = 1024
#: Characters of a value with parts that are still shown on one line.
_ONE_LINE = 100
#: A share below which two digits of its percentage say little of it.
_SMALL = 0.01

#: Names of tensors and files come from models and tables that nobody vouches for: on a terminal they must not move the
#: cursor or hide lines.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


@cache
def console() -> Console:
    """The console on stderr; rich costs a tenth of a second, so it is imported when first written to."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line on stderr, without markup; work goes on when nobody reads it any more, or it has no room."""
    with suppress(OSError):
        sys.stderr.write(text.translate(_CONTROL) + "\n")


def say_json(value: Any) -> None:
    """A JSON document on one line of stderr."""
    with suppress(OSError):
        sys.stderr.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")


def emit(text: str = "") -> None:
    """A line on stdout."""
    sys.stdout.write(text.translate(_CONTROL) + "\n")


def emit_json(value: Any) -> None:
    """A JSON document on stdout; times in ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def emit_json_line(value: Any) -> None:
    """One JSON document on one line of stdout, for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")
    flush()


def emit_fields(fields: Mapping[str, Any]) -> None:
    """Names and values on stdout, the parts of long values below one another; what is not set is left out."""
    shown = {name.replace("_", " "): value for name, value in fields.items() if _is_set(value)}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        first, *others = _field_lines(value)
        emit(f"{name.ljust(width)}  {first}")
        for line in others:
            emit(f"{' ' * width}  {line}")


def emit_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Any], str] | None],
    *,
    limit: int | None = None,
) -> None:
    """Rows as aligned text on stdout: a column's name -> how to write its values (None: as they are).

    Where there are as many as were asked for at most, stderr is told that there may be more.
    """
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [[_cell(row.get(name), form) for name, form in columns.items()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        emit("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    if len(rows) == limit:
        flush()
        say(f"there may be more than these {limit}: --limit")


def flush() -> None:
    """Hands on what was emitted. Raises ReaderGoneError, and OSError where there is no room for it."""
    sys.stdout.flush()


def end() -> None:
    """To be called last: Python flushes both once more, and would make an exit code of its own of an error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ReaderGoneError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def counted(count: int, word: str, many: str | None = None) -> str:
    """A number of things: 1 node, 2 nodes."""
    return f"{count} {word if count == 1 else many or word + 's'}"


def size(count: int) -> str:
    """Bytes as people read them: 1.2 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(value, 1) < _KIB or unit == "GiB":  # as it is shown: no 1024.0 KiB
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


def exact_share(value: float) -> str:
    """The same, but small ones to three figures: 0.0000793%."""
    if not 0 < value < _SMALL:
        return share(value)
    return f"{value * 100:.{2 - math.floor(math.log10(value * 100))}f}%"


def yes_or_no(value: bool) -> str:  # noqa: FBT001 - a column's values come without a name
    return "yes" if value else "no"


def _cell(value: Any, form: Callable[[Any], str] | None) -> str:
    if value is None:
        return "-"
    # A name with a line end in it begins no line of its own.
    return (form(value) if form else str(value)).replace("\n", "\\n")


def _field_lines(value: Any) -> list[str]:
    """A value's parts, on one line where they are short; names in them begin no line of their own."""
    if isinstance(value, Mapping):
        parts = [f"{name}: {one_line(part)}" for name, part in value.items() if _is_set(part)]
        if len(line := ", ".join(parts)) <= _ONE_LINE:
            parts = [line]
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value):
        parts = [one_line(part) for part in value]
    else:
        return [one_line(value)]
    return [part.replace("\n", "\\n") for part in parts]


def _is_set(value: Any) -> bool:
    return value not in (None, "", {}, [])


def one_line(value: Any) -> str:
    """A value as people read it; what is not set in it is left out."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return yes_or_no(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one_line(part)}" for name, part in value.items() if _is_set(part))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(one_line, value))}]"
    return str(value)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
