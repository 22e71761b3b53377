"""Files that become blobs by their name alone."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from trtfarm.blobs.location import store_at
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import StorageError

DATA = b"bytes that were hashed while they came"
BLOB = Blob(digest=digest_of_bytes(DATA), size=len(DATA))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("place", ["folder", "cloud"])
def test_a_file_becomes_a_blob_and_is_gone(place: str, file: Path, tmp_path: Path) -> None:
    """obstore's own store in memory stands for the clouds: the calls are the same."""
    cloud = Objects(MemoryStore, "memory:///")
    store = BlobStore(Objects.in_folder(tmp_path / "blobs") if place == "folder" else cloud)
    store.take(file, BLOB)
    assert store.read(BLOB.digest) == DATA
    assert not file.exists()


def test_one_on_another_volume_is_copied(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _target: Path) -> Path:
        raise OSError(errno.EXDEV, "another volume")

    store = store_at((tmp_path / "blobs").as_uri())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        store.take(file, BLOB)
    assert store.read(BLOB.digest) == DATA
    assert not file.exists()


def test_a_file_that_cannot_be_renamed_is_told(file: Path, tmp_path: Path) -> None:
    store = store_at((tmp_path / "blobs").as_uri())
    file.unlink()
    with pytest.raises(StorageError):
        store.take(file, BLOB)
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []
