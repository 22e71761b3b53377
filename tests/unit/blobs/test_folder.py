from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest
from obstore.store import ObjectStore as Store

from tests.disk import file_size_limit
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import DiskFullError, StorageError

MIB = 1024 * 1024
#: Prints by how many bytes the process's memory grew at the most while it stored a file and fetched it again.
PEAK = """
import resource, sys
from pathlib import Path
from trtfarm.blobs.location import store_at

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

store = store_at(sys.argv[1])
store.put_bytes(b"engine")
before = peak()
store.materialize(store.put_file(Path(sys.argv[2])).digest, Path(sys.argv[3]))
print(peak() - before)
"""


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
    store = BlobStore(Objects.in_folder(small_disk / "blobs"))
    with pytest.raises(DiskFullError, match="no space left"):
        store.put_file(source)
    assert files_below(small_disk) == []
    whole = BlobStore(Objects.in_folder(tmp_path / "blobs"))
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
    fsync, rename = os.fsync, obstore.rename

    def watch_fsync(descriptor: int) -> None:
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def watch_rename(store: Store, source: str, target: str) -> None:
        steps.append(("rename", Path(source).name))
        rename(store, source, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(obstore, "rename", watch_rename)
    digits = store.put_bytes(b"engine").digest.removeprefix("sha256:")
    first, data, *folders, renamed, folder = steps
    # Each new folder is synced into the one above it.
    assert first == ("fsync", root.parent.name)
    assert folders == [("fsync", name) for name in ("blobs", "sha256")]
    assert renamed == ("rename", data[1])
    assert data[0] == "fsync"
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


def test_memory_does_not_grow_with_the_blob(tmp_path: Path) -> None:
    """Of the whole process: what obstore holds is not Python's to count."""
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(96 * MIB)
    command = [sys.executable, "-c", PEAK, str(tmp_path / "blobs"), str(source), str(tmp_path / "copy")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (tmp_path / "copy").stat().st_size == 96 * MIB
    assert peak < 64 * MIB


def test_writers_of_the_same_blob_do_not_disturb_each_other(store: BlobStore, root: Path) -> None:
    content = os.urandom(MIB)
    with ThreadPoolExecutor(4) as pool:
        blobs = set(pool.map(store.put_bytes, [content] * 16))
    assert len(blobs) == 1
    assert len(files_below(root)) == 1
    assert store.verify(blobs.pop().digest)


def test_sweeping_removes_what_is_old_and_unfinished(store: BlobStore, root: Path) -> None:
    blob = store.put_bytes(b"engine")
    for name, age in (("old#1", 7200), ("new#1", 60)):
        path = root / "tmp" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    assert store.sweep(3600) == 1
    assert [path.name for path in (root / "tmp").iterdir()] == ["new#1"]
    assert store.has(blob)


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file stands where the folder should")
    with pytest.raises(StorageError, match="cannot be read or written"):
        BlobStore(Objects.in_folder(tmp_path / "blobs")).put_bytes(b"engine")
    with pytest.raises(StorageError, match="source"):
        BlobStore(Objects.in_folder(tmp_path / "other")).put_file(tmp_path / "source")
