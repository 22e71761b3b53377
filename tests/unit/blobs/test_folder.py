from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.disk import file_size_limit
from trtfarm.blobs.folder import Folder
from trtfarm.blobs.objects import CHUNK_BYTES
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import DiskFullError, StorageError

MIB = 1024 * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> BlobStore:
    return BlobStore(Folder(root))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not mount or not umount or subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here; the test with a limit on file sizes runs anywhere")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_full_disk_is_said_and_nothing_is_left(small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(4 * MIB))
    store = BlobStore(Folder(small_disk / "blobs"))
    with pytest.raises(DiskFullError, match="no space left"):
        store.put_file(source)
    assert files_below(small_disk) == []
    whole = BlobStore(Folder(tmp_path / "blobs"))
    blob = whole.put_file(source)
    with pytest.raises(DiskFullError):
        whole.materialize(blob.digest, small_disk / "copy")
    assert files_below(small_disk) == []


def test_a_limit_on_file_sizes_counts_as_a_full_disk(store: BlobStore, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2 * MIB))
    with file_size_limit(MIB), pytest.raises(DiskFullError):
        store.put_file(source)
    assert files_below(root) == []
    assert store.verify(store.put_file(source).digest)


def test_bytes_are_synced_before_the_name_and_the_name_before_the_return(
    store: BlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def watch_replace(self: Path, target: Path) -> Path:
        steps.append(("rename", self.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    digits = store.put_bytes(b"engine").digest.removeprefix("sha256:")
    *folders, data, rename, folder = steps
    # Each new folder is synced into the one above it.
    assert folders == [("fsync", name) for name in (root.parent.name, "blobs", "sha256")]
    assert data[0] == "fsync"
    assert rename == ("rename", data[1])
    assert folder == ("fsync", digits[:2])


def test_a_blob_cannot_be_changed_by_accident_but_a_copy_can(store: BlobStore, root: Path, tmp_path: Path) -> None:
    blob = store.put_bytes(b"engine")
    [path] = files_below(root)
    assert path.stat().st_mode & 0o777 == 0o444
    assert store.materialize(blob.digest, tmp_path / "copy").stat().st_mode & 0o777 == 0o644


def test_materializing_replaces_a_file_of_that_name(store: BlobStore, tmp_path: Path) -> None:
    target = tmp_path / "engine.plan"
    target.write_bytes(b"an older one, which is longer")
    store.materialize(store.put_bytes(b"engine").digest, target)
    assert target.read_bytes() == b"engine"
    assert {path.name for path in tmp_path.iterdir()} == {"blobs", "engine.plan"}


def test_memory_does_not_grow_with_the_blob(store: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(64 * MIB)
    tracemalloc.start()
    try:
        store.materialize(store.put_file(source).digest, tmp_path / "copy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * CHUNK_BYTES


def test_writers_of_the_same_blob_do_not_disturb_each_other(store: BlobStore, root: Path) -> None:
    content = os.urandom(MIB)
    with ThreadPoolExecutor(4) as pool:
        blobs = set(pool.map(store.put_bytes, [content] * 16))
    assert len(blobs) == 1
    assert len(files_below(root)) == 1
    assert store.verify(blobs.pop().digest)


def test_sweeping_removes_what_is_old_and_unfinished(store: BlobStore, root: Path) -> None:
    blob = store.put_bytes(b"engine")
    for name, age in (("old", 7200), ("new", 60)):
        path = root / "tmp" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    assert store.sweep(3600) == 1
    assert [path.name for path in (root / "tmp").iterdir()] == ["new"]
    assert store.has(blob)


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file stands where the folder should")
    with pytest.raises(StorageError, match="cannot be read or written"):
        BlobStore(Folder(tmp_path / "blobs")).put_bytes(b"engine")
    with pytest.raises(StorageError, match="source"):
        BlobStore(Folder(tmp_path / "other")).put_file(tmp_path / "source")
