"""Files that commands write: never over what they read, never over somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.errors import UsageError
from trtfarm_cli.files import copy_once, writable


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"model")
    (tmp_path / "link.onnx").symlink_to(model)
    for path in (model, tmp_path / "link.onnx"):
        with pytest.raises(UsageError, match="what is read"):
            writable(path, unlike=(model,))
    other = tmp_path / "other.onnx"
    assert writable(other, unlike=(model,)) == other


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone" / "x"):
        with pytest.raises(UsageError):
            writable(path)


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
