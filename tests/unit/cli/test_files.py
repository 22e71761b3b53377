"""Files that commands read, and those that they write: never over what they read, never over somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trtfarm.errors import NotFoundError, TableError, UnreadableError, UsageError
from trtfarm.tables.reading import MAX_BYTES, bytes_of_file
from trtfarm_cli.files import copy_once, engine_file_name, folder_for, placed, writable


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"model")
    (tmp_path / "link.onnx").symlink_to(model)
    for path in (model, tmp_path / "link.onnx"):
        with pytest.raises(UsageError, match="what is read"):
            writable(path, unlike=(model,))
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(b"photo")
    with pytest.raises(UsageError, match="what is read"):
        writable(photos / "1.jpg", unlike=(photos,))
    for other in (tmp_path / "other.onnx", photos / "new.table"):
        assert writable(other, unlike=(model, photos)) == other


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone" / "x"):
        with pytest.raises(UsageError):
            writable(path)


def test_a_folder_is_there_or_can_be_made(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "new"):
        assert folder_for(path) == path
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "gone" / "x"):
        with pytest.raises(UsageError):
            folder_for(path)


def test_a_file_gets_its_own_name_in_a_folder(tmp_path: Path) -> None:
    name = engine_file_name("../lenet", "int8+fp16", "sm_89")
    assert name == ".._lenet-int8+fp16-sm_89.engine"
    assert placed(tmp_path, name) == tmp_path / name
    assert placed(None, name) == Path(name)
    assert placed(tmp_path / "x.plan", name) == tmp_path / "x.plan"
    assert len(f".{engine_file_name('名' * 200, 'int8+fp16', 'sm_121')}.sig-01234567".encode()) < 256


def test_weights_of_another_model_stay(tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "model.weights"
    source.write_bytes(b"mine")
    copy_once(source, path)
    copy_once(source, path)
    assert path.read_bytes() == b"mine"
    source.write_bytes(b"another's")
    with pytest.raises(UsageError, match=r"another model\.weights"):
        copy_once(source, path)
    assert path.read_bytes() == b"mine"


def test_a_device_and_a_pipe_are_not_replaced_by_a_file(tmp_path: Path) -> None:
    """Root could: from then on, what anybody writes to /dev/null would fill the disk."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(UsageError, match="device or a pipe"):
            writable(path)


def test_what_is_no_table_is_not_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device without an end, and a file that would not fit into memory."""
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(1 << 40)
    for path in (pipe, Path("/dev/zero"), tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(UnreadableError, match="cannot be read"):
            bytes_of_file(path)
    with pytest.raises(TableError, match="1,099,511,627,776 bytes are too many"):
        bytes_of_file(large)
    with pytest.raises(NotFoundError):
        bytes_of_file(tmp_path / "gone")
    os.truncate(large, MAX_BYTES)
    assert len(bytes_of_file(large)) == MAX_BYTES
