"""From bytes to the lines of a table: what can be held is held, what cannot is reported with its line number."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trtfarm.errors import NotFoundError, TableError
from trtfarm.file_errors import opening
from trtfarm.regular_files import open_regular
from trtfarm.tables.headers import Header, UnknownHeader, header_from_text
from trtfarm.tables.problems import Problem, Severity, shown
from trtfarm.tables.scales import is_float32_hex

#: A table of 200,000 tensors with long names has about 20 MB.
MAX_BYTES = 32 << 20
#: UTF-8 bytes of one line; names of models are held to the same.
MAX_LINE_BYTES = 1 << 16
#: After so many unreadable lines the file is no table, and the rest is not read.
MAX_DAMAGE = 100

_UPPER_CASE = re.compile(rb": (?=[0-9a-f]*[A-F])[0-9A-Fa-f]{8}\r?$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tensor's line: `scale` as 8 lower-case hex digits. The line number is where it stood, not what it is."""

    tensor: str
    scale: str
    line: int = field(compare=False)

    def __str__(self) -> str:
        return f"{self.tensor}: {self.scale}"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds of a table; `damage` is what it holds besides, or in another form than TensorRT writes."""

    header: Header
    entries: tuple[Entry, ...]
    damage: tuple[Problem, ...]


def neither(name: str) -> NotFoundError:
    """Of a name that is no table's file, and no table's id."""
    return NotFoundError(
        f"there is no file {name}, and no table of this id",
        remedy="check the file's name, and the current folder; or copy an id: trtfarm tables list",
    )


def bytes_of_file(path: Path) -> bytes:
    """A table's file, looked at before it is read: pipes block, devices do not end, other files fill the memory.

    Raises NotFoundError, UnreadableError, and TableError for more than 32 MiB.
    """
    with opening(path, "a table"), open_regular(path) as file:
        _check_size(os.fstat(file.fileno()).st_size)
        return file.read()


def read(data: bytes) -> Contents:
    """Raises TableError for more than 32 MiB, and for nothing else."""
    _check_size(len(data))
    lines = data.removesuffix(b"\n").split(b"\n")
    first = _text(1, lines[0])
    damage = [*_habits(data)] if isinstance(first, str) else [*_habits(data), first]
    entries: list[Entry] = []
    for number, line in enumerate(lines[1:], start=2):
        found = _entry(number, line)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            damage.append(found)
        if len(damage) > MAX_DAMAGE:
            damage.append(_error(number, "reading stopped here", f"{MAX_DAMAGE} lines before are damaged"))
            break
    return Contents(
        header=header_from_text(first) if isinstance(first, str) else UnknownHeader(text=""),
        entries=tuple(entries),
        damage=tuple(damage),
    )


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise TableError(
            f"{size:,} bytes are too many for a calibration table",
            cause=f"tables of real models stay below {MAX_BYTES:,} bytes; this is probably another file",
            remedy="hand in the file that TensorRT's write_calibration_cache made",
        )


def _habits(data: bytes) -> Iterator[Problem]:
    """What the whole file does otherwise than TensorRT, and reading takes."""
    if not data.endswith(b"\n"):
        yield _warning(None, "the last line has no line end", "the file may have been cut short there")
    if b"\r\n" in data:
        yield _warning(None, "lines end in CR LF", "TensorRT takes them with a warning")
    if _UPPER_CASE.search(data):
        yield _warning(None, "hex digits are in upper case", "TensorRT writes lower case")


def _text(number: int, line: bytes) -> str | Problem:
    raw = line.removesuffix(b"\r")
    if len(raw) > MAX_LINE_BYTES:
        return _error(number, f"the line has {len(raw):,} bytes", f"no name is longer than {MAX_LINE_BYTES:,}")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        text = shown(raw.decode(errors="backslashreplace"))
        return _error(number, f"the line is not UTF-8: {text}", "which tensor it means cannot be told")


def _entry(number: int, line: bytes) -> Entry | Problem:
    text = _text(number, line)
    if isinstance(text, Problem):
        return text
    if not text.strip():
        return _warning(number, "the line is blank", "TensorRT writes none")
    tensor, _, digits = text.rpartition(": ")
    if not tensor or not is_float32_hex(digits.lower()):
        return _error(number, f"not a line of a table: {shown(text)}", _why_malformed(tensor, digits))
    if not tensor.isprintable():
        return _error(number, f"control characters in the name {shown(tensor)}", "no tensor is called that")
    return Entry(tensor=tensor, scale=digits.lower(), line=number)


def _why_malformed(tensor: str, digits: str) -> str:
    if not tensor:
        return "a line is a tensor's name, a colon, a space and 8 hex digits"
    if len(digits) < len("3c010204") and is_float32_hex(digits.lower().zfill(8)):
        return f"it has {len(digits)} hex digits where 8 belong, and may have been cut short"
    return f"{shown(digits)} is not 8 hex digits"


def _warning(line: int | None, what: str, why: str) -> Problem:
    # True for all of them: trtfarm renders the table anew.
    remedy = "none is needed: TensorRT is handed the table in its own form"
    return Problem(severity=Severity.WARNING, line=line, what=what, why=why, remedy=remedy)


def _error(line: int | None, what: str, why: str) -> Problem:
    remedy = "get the table again from where it was made, or calibrate again"
    return Problem(severity=Severity.ERROR, line=line, what=what, why=why, remedy=remedy)
