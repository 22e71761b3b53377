"""Tables that commands name, by a file or by an id of the farm in use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm_cli.opening import open_any

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable


def named_table(name: str) -> CalibrationTable:
    """The table in a file or, where there is no such file, that of the farm. Raises NotFoundError, TableError."""
    from trtfarm.errors import NotFoundError
    from trtfarm.regular_files import is_file
    from trtfarm.tables.reading import bytes_of_file, neither
    from trtfarm.tables.validation import load

    if is_file(name) or "/" in name:
        return load(bytes_of_file(Path(name)), name=name)
    try:
        return stored_table(name)
    except NotFoundError as error:
        raise neither(name) from error


def stored_table(name: str) -> CalibrationTable:
    """The table of the farm whose id, digest or start of one this is."""
    from trtfarm.tables.validation import load

    with open_any() as farm:
        table_id, text = farm.tables.text(name)
    return load(text, name=table_id)


def files_of(names: Iterable[str]) -> list[Path]:
    """Those of the names that are files."""
    from trtfarm.regular_files import is_file

    return [Path(name) for name in names if is_file(name)]
