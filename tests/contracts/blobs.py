"""What the blob store promises, wherever its objects are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trtfarm.blobs.objects import CHUNK_BYTES, Objects
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import CorruptBlobError, DataError, MissingBlobError, UsageError

ABSENT = digest_of_bytes(b"never stored")


def key_of(digest: str) -> str:
    digits = digest.removeprefix("sha256:")
    return f"sha256/{digits[:2]}/{digits[2:]}"


class BlobContract:
    """Run with a fixture `objects`: empty Objects."""

    @pytest.fixture
    def store(self, objects: Objects) -> BlobStore:
        return BlobStore(objects)

    @pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
    def test_what_was_put_comes_back(self, store: BlobStore, tmp_path: Path, size: int) -> None:
        content = os.urandom(size)
        source = tmp_path / "source"
        source.write_bytes(content)
        blob = store.put_file(source)
        assert blob == Blob(digest=digest_of_bytes(content), size=size) == store.put_bytes(content)
        assert store.has(blob)
        assert store.size(blob.digest) == size
        assert store.read(blob.digest) == content
        assert store.materialize(blob.digest, tmp_path / "copy").read_bytes() == content
        assert [found.blob for found in store.blobs()] == [blob]

    def test_objects_lie_under_their_digest(self, store: BlobStore, objects: Objects) -> None:
        blob = store.put_bytes(b"engine")
        [found] = objects.entries()
        assert (found.key, found.size) == (key_of(blob.digest), 6)
        assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)

    def test_an_absent_blob_is_missing_everywhere(self, store: BlobStore, tmp_path: Path) -> None:
        there, absent = store.put_bytes(b"there"), Blob(digest=ABSENT, size=12)
        assert store.missing([there, absent]) == [absent]
        assert store.size(ABSENT) is None
        for attempt in (store.read, lambda digest: store.materialize(digest, tmp_path / "copy")):
            with pytest.raises(MissingBlobError) as missing:
                attempt(ABSENT)
            assert "submit again" in str(missing.value.remedy)
        assert list(tmp_path.iterdir()) == []
        assert not store.verify(ABSENT)
        store.delete(ABSENT)

    def test_a_blob_of_another_size_is_missing_and_the_next_put_mends_it(
        self, store: BlobStore, objects: Objects
    ) -> None:
        blob = store.put_bytes(b"whole engine")
        objects.put(key_of(blob.digest), iter([b"whole en"]))
        assert store.missing([blob]) == [blob]
        store.put_bytes(b"whole engine")
        assert store.read(blob.digest) == b"whole engine"

    def test_corruption_is_noticed_on_read_removed_and_mended_by_the_next_put(
        self, store: BlobStore, objects: Objects, tmp_path: Path
    ) -> None:
        blob = store.put_bytes(b"right bytes")
        objects.put(key_of(blob.digest), iter([b"wrong bytes"]))
        assert store.has(blob)
        with pytest.raises(CorruptBlobError):
            store.materialize(blob.digest, tmp_path / "copy")
        assert list(tmp_path.iterdir()) == []
        assert not store.has(blob)
        store.put_bytes(b"right bytes")
        assert store.verify(blob.digest)

    def test_a_blob_is_not_written_twice(self, store: BlobStore, objects: Objects) -> None:
        blob = store.put_bytes(b"right bytes")
        objects.put(key_of(blob.digest), iter([b"other bytes"]))
        store.put_bytes(b"right bytes")
        with pytest.raises(CorruptBlobError):
            store.read(blob.digest)

    def test_a_file_that_changes_while_it_is_read_is_refused(
        self, store: BlobStore, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"b" * CHUNK_BYTES)
        has = store.has

        def change(blob: Blob) -> bool:
            """Comes between the pass that hashes the file and the pass that copies it."""
            source.write_bytes(b"a" * CHUNK_BYTES)
            return has(blob)

        monkeypatch.setattr(store, "has", change)
        with pytest.raises(DataError, match="changed"):
            store.put_file(source)
        assert list(objects.entries()) == []

    def test_a_put_that_is_broken_off_leaves_nothing(self, objects: Objects) -> None:
        def broken() -> Iterator[bytes]:
            yield b"a" * CHUNK_BYTES
            yield b"b" * CHUNK_BYTES
            raise DataError("the source ended early")

        with pytest.raises(DataError):
            objects.put("sha256/aa/bb", broken())
        assert list(objects.entries()) == []

    def test_a_deleted_blob_is_gone(self, store: BlobStore) -> None:
        blob = store.put_bytes(b"old")
        store.delete(blob.digest)
        assert not store.has(blob)

    @pytest.mark.parametrize(
        "digest", ["", "sha256:..", "../../etc/passwd", "sha256:" + "g" * 64, "sha256:" + "A" * 64]
    )
    def test_only_digests_become_keys(self, store: BlobStore, digest: str) -> None:
        with pytest.raises(UsageError, match="not a digest"):
            store.read(digest)

    def test_what_is_not_a_blob_is_passed_over(self, store: BlobStore, objects: Objects) -> None:
        objects.put("sha256/readme", iter([b"hello"]))
        objects.put("other", iter([b"hello"]))
        assert list(store.blobs()) == []
