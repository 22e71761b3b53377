"""Files that a builder made and that become blobs by a second name."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from trtfarm.blobs.made import made_file, place, settled
from trtfarm.blobs.objects import CHUNK_BYTES, Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import DataError, StorageError

LONG_AGO = 946_684_800


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    return write


def blob_path(root: Path, digest: str) -> Path:
    digits = digest.removeprefix("sha256:")
    return root / "sha256" / digits[:2] / digits[2:]


def test_a_file_is_the_blob_and_no_copy(store: BlobStore, root: Path, write: Callable[..., Path]) -> None:
    path = write("engine.plan", b"engine")
    file = made_file(store, path)
    assert not store.has(file.blob)
    place(store, settled(store, [file]))
    facts = blob_path(root, file.blob.digest).stat()
    assert facts.st_ino == path.stat().st_ino
    assert facts.st_mode & 0o777 == 0o444
    path.unlink()
    assert store.read(file.blob.digest) == b"engine"
    [found] = store.blobs()
    assert found.written.year > 2000, "clean-up would take it for an old one"


def test_bytes_are_synced_before_any_name_and_the_names_before_the_return(
    store: BlobStore, root: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_bytes(b"the folders above are there")
    steps: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def watch_fsync(descriptor: int) -> None:
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def watch_link(source: Path, target: Path, **options: Any) -> None:
        steps.append(("link", source.name))
        link(source, target, **options)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(os, "link", watch_link)
    files = [made_file(store, write(name, name.encode())) for name in ("one", "two")]
    assert steps == []
    place(store, settled(store, files))
    digits = {file.blob.digest.removeprefix("sha256:")[:2] for file in files}
    assert steps[:2] == [("fsync", "one"), ("fsync", "two")]
    assert [step for step in steps if step[0] == "link"] == [("link", "one"), ("link", "two")]
    assert {name for _, name in steps[-len(digits) :]} == digits


def test_a_large_one_is_synced_at_once(
    store: BlobStore, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("engine.plan", bytes(CHUNK_BYTES))
    assert made_file(store, path).lasting
    assert not made_file(store, write("log", b"short")).lasting


def test_what_is_stored_already_is_left_alone(store: BlobStore, root: Path, write: Callable[..., Path]) -> None:
    there = blob_path(root, store.put_bytes(b"engine").digest)
    inode = there.stat().st_ino
    place(store, settled(store, [made_file(store, write("engine.plan", b"engine"))]))
    assert there.stat().st_ino == inode


@pytest.mark.parametrize("when", ["before", "between"])
def test_what_lost_its_tail_or_was_cleaned_up_is_made_whole(
    when: str, store: BlobStore, root: Path, write: Callable[..., Path]
) -> None:
    """Clean-up may strike until `place`, and a disk at any time."""
    there = blob_path(root, store.put_bytes(b"engine").digest)

    def cut() -> None:
        there.chmod(0o644)
        there.write_bytes(b"eng")

    if when == "before":
        cut()
    files = settled(store, [made_file(store, write("engine.plan", b"engine"))])
    if when == "between":
        there.unlink()
    place(store, files)
    assert there.read_bytes() == b"engine"
    assert there.stat().st_mode & 0o777 == 0o444
    assert not list((root / "tmp").iterdir())


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_a_file_has_one_name_it_is_copied(
    number: int, store: BlobStore, root: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "link", refuse)
    first, second = write("one", b"one"), write("two", b"two")
    file = made_file(store, first)
    place(store, settled(store, [file]))
    assert store.read(file.blob.digest) == b"one"
    assert store.has(made_file(store, second).blob), "the next is stored outside of any transaction"


def test_a_store_elsewhere_gets_it_when_it_is_made(write: Callable[..., Path]) -> None:
    """obstore's own store in memory stands for the clouds: the calls are the same."""
    store = BlobStore(Objects(MemoryStore, "memory:///"))
    file = made_file(store, write("engine.plan", b"engine"))
    assert store.has(file.blob)
    store.delete(file.blob.digest)
    place(store, settled(store, [file]))
    assert store.read(file.blob.digest) == b"engine"


@pytest.mark.parametrize("change", ["content", "link", "gone"])
def test_a_file_that_is_another_one_meanwhile_is_no_blob(
    change: str, store: BlobStore, root: Path, write: Callable[..., Path]
) -> None:
    path = write("engine.plan", b"engine")
    file = made_file(store, path)
    if change == "content":
        path.write_bytes(b"ENGINE")
    else:
        path.unlink()
    if change == "link":
        path.symlink_to("/etc/passwd")
    with pytest.raises((DataError, StorageError)):
        settled(store, [file])
    assert not store.has(file.blob)
