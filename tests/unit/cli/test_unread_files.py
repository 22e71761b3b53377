"""Files that a command names and that cannot be read: what is said of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from trtfarm.build_options import options_of, read_ranges
from trtfarm.bundles.files import pieces_of
from trtfarm.datasets.content import array_file
from trtfarm.datasets.files import looking_for_data
from trtfarm.datasets.named import named
from trtfarm.errors import TrtfarmError, UsageError
from trtfarm.models.external import open_external
from trtfarm.models.malformed import MalformedError
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.signed_file import check_file
from trtfarm.tables.reading import bytes_of_file
from trtfarm_cli import exits
from trtfarm_cli.files import folder_for, placed, writable
from trtfarm_cli.main import app

_NOBODY = 65534


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A file in a folder that this process may not enter; root may enter all, so that it is another for the while."""
    path = tmp_path / "closed" / "file"
    path.parent.mkdir()
    path.write_bytes(b"x")
    path.parent.chmod(0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    yield path
    os.seteuid(was)
    path.parent.chmod(0o700)


def _weights(path: Path) -> object:
    try:
        return open_external(path.parent, path.name)
    except MalformedError as error:
        raise error.about(path) from error


def _data(*arguments: str) -> object:
    return named(arguments, [TensorType(name="x", dtype="float32", dims=("N", 4))])


def _labels(path: Path) -> object:
    with looking_for_data():
        return array_file(path)


#: Each way in which commands read a file that was named, and the exit code of its kind.
READERS: dict[str, tuple[int, Callable[[Path], object]]] = {
    "model": (3, Model.read),
    "weights": (3, _weights),
    "data": (4, lambda path: _data(str(path))),
    "data of an input": (4, lambda path: _data(f"x={path}")),
    "labels": (4, _labels),
    "options": (2, lambda path: options_of((), path, None)),
    "ranges": (2, read_ranges),
    "table": (8, bytes_of_file),
    "engine": (8, lambda path: check_file(Keyring(path.parent), path)),
    "bundle": (8, lambda path: next(pieces_of(path))),
    "key": (8, lambda path: Keyring(path.parent).trust(path)),
}


@pytest.mark.parametrize("kind", READERS)
def test_whoever_may_not_read_a_file_is_told_of_permissions(closed: Path, kind: str) -> None:
    code, read = READERS[kind]
    with pytest.raises(TrtfarmError) as refused:
        read(closed)
    assert exits.code_of(refused.value) == code
    assert "permission" in (refused.value.remedy or "")


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_has_the_exit_code_of_its_kind(tmp_path: Path, kind: str) -> None:
    code, read = READERS[kind]
    with pytest.raises(TrtfarmError) as refused:
        read(tmp_path / "gone")
    assert exits.code_of(refused.value) == code
    assert refused.value.remedy


def test_no_file_that_is_read_is_looked_at_by_typer() -> None:
    """It would refuse what it may not read as an option that cannot be used, whatever it is."""
    pending: list[Any] = [typer.main.get_command(app)]
    looked_at = []
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        looked_at += [
            f"{command.name} {param.name}"
            for param in command.params
            if "Path" in str(param.type_descriptor.annotation)
            and param.name not in ("destination", "library_path", "python_path")
            and param.type_descriptor.parameter_info.readable
        ]
    assert looked_at == []


@pytest.mark.parametrize("name", ["file", "new", "n" * 300])
def test_a_place_that_nobody_may_look_at_cannot_be_written(closed: Path, name: str) -> None:
    for look in (writable, folder_for):
        with pytest.raises(UsageError, match="cannot be written"):
            look(placed(closed.with_name(name), "engine"))


def test_a_name_that_is_too_long_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        writable(tmp_path / ("n" * 300))
