"""Files that a command names and that cannot be read: what is said of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trtfarm.build_options import options_of, read_ranges
from trtfarm.bundles.files import pieces_of
from trtfarm.datasets.files import DataFile, looking_for_data
from trtfarm.errors import TrtfarmError
from trtfarm.models.external import open_external
from trtfarm.models.malformed import MalformedError
from trtfarm.models.model import Model
from trtfarm.signing.keyring import Keyring
from trtfarm_cli.files import read_table

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


def _look_for(path: Path) -> bool:
    with looking_for_data():
        return path.is_dir()


def _weights(path: Path) -> object:
    try:
        return open_external(path.parent, path.name)
    except MalformedError as error:
        raise error.about(path) from error


READERS: dict[str, Callable[[Path], object]] = {
    "model": Model.read,
    "weights": _weights,
    "data": lambda path: DataFile(path=path).open(),
    "data that may be a folder": _look_for,
    "options": lambda path: options_of((), path, None),
    "ranges": read_ranges,
    "table": read_table,
    "bundle": lambda path: next(pieces_of(path)),
    "key": lambda path: Keyring(path.parent).trust(path),
}


@pytest.mark.parametrize("reader", READERS)
def test_whoever_may_not_read_a_file_is_told_of_permissions(closed: Path, reader: str) -> None:
    with pytest.raises(TrtfarmError, match="cannot be") as refused:
        READERS[reader](closed)
    assert "permission" in (refused.value.remedy or "")
