"""The bytes of a bundle: what any tar unpacks, and of all tars only the one that is written here."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.bundles.forging import END, entry
from trtfarm.blobs.store import Blob
from trtfarm.bundles.container import LARGEST_MANIFEST, Container, chunks_of, size_of
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import BundleError

CONTENTS = (b"", b"a" * 512, b"table\n", b"b" * 5000)
FILES = {digest_of_bytes(content): content for content in CONTENTS}
BLOBS = tuple(Blob(digest=digest, size=len(FILES[digest])) for digest in sorted(FILES))
MANIFEST, SIGNATURE = b'{"a":1}', b'{"b":2}'
WHOLE = b"".join(chunks_of(MANIFEST, SIGNATURE, BLOBS, lambda digest: iter([FILES[digest]])))


def read(pieces: Iterator[bytes], blobs: Sequence[Blob] = BLOBS) -> list[bytes]:
    container = Container(pieces, "a.bundle")
    parts = [container.manifest(), container.signature(), *(b"".join(container.blob(blob)) for blob in blobs)]
    container.end()
    assert container.place == len(WHOLE)
    return parts


def test_any_tar_unpacks_it(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        tar.extractall(tmp_path, filter="data")
    assert (tmp_path / "manifest.json").read_bytes() == MANIFEST
    assert (tmp_path / "manifest.sig").read_bytes() == SIGNATURE
    found = {f"sha256:{path.name}": path.read_bytes() for path in (tmp_path / "blobs" / "sha256").iterdir()}
    assert found == FILES
    assert len(WHOLE) == size_of(len(MANIFEST), len(SIGNATURE), BLOBS)


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_it_is_read_however_it_comes(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    pieces = (WHOLE[start:stop] for start, stop in pairwise(edges))
    assert read(pieces) == [MANIFEST, SIGNATURE, *(FILES[blob.digest] for blob in BLOBS)]


@given(stop=st.integers(0, len(WHOLE) - 1))
def test_what_is_cut_off_is_told(stop: int) -> None:
    with pytest.raises(BundleError, match=r"a\.bundle (is damaged|is no bundle)"):
        read(iter([WHOLE[:stop]]))


@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_every_bit_counts_but_those_that_the_signature_is_for(place: int, bit: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    signed = range(512, 512 + len(MANIFEST)), range(1536, 1536 + len(SIGNATURE))
    if any(place in part for part in signed):
        assert read(iter([bytes(data)]))[2:] == [FILES[blob.digest] for blob in BLOBS]
    else:
        with pytest.raises(BundleError):
            read(iter([bytes(data)]))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("../../etc/cron.d/evil", {}),
        ("/etc/passwd", {}),
        ("blobs/sha256/../../../evil", {}),
        ("blobs/sha256/" + "0" * 64, {}),
        (f"blobs/{BLOBS[0].digest.replace(':', '/')}", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        (f"blobs/{BLOBS[0].digest.replace(':', '/')}", {"mode": 0o4755}),
        (f"blobs/{BLOBS[0].digest.replace(':', '/')}", {"mtime": 1}),
    ],
)
def test_an_entry_that_the_manifest_does_not_tell_is_refused(name: str, changes: dict[str, object]) -> None:
    first = FILES[BLOBS[0].digest]
    rest = b"".join(entry(f"blobs/{blob.digest.replace(':', '/')}", FILES[blob.digest]) for blob in BLOBS[1:])
    start = entry("manifest.json", MANIFEST) + entry("manifest.sig", SIGNATURE)
    with pytest.raises(BundleError, match="damaged") as caught:
        read(iter([start + entry(name, first, **changes) + rest + END]))
    assert BLOBS[0].digest in (caught.value.cause or "")


@pytest.mark.parametrize("more", [b"\0", b"more", END, entry("another", b"more")])
def test_nothing_may_follow(more: bytes) -> None:
    for data in (WHOLE + more, WHOLE[:-1024] + more + WHOLE[-1024:]):
        with pytest.raises(BundleError, match="damaged"):
            read(iter([data]))


def test_a_manifest_that_is_too_large_is_not_read() -> None:
    start = entry("manifest.json", b"")
    huge = tarfile.TarInfo("manifest.json")
    huge.size, huge.mode = LARGEST_MANIFEST + 1, 0o644
    container = Container(iter([huge.tobuf(tarfile.GNU_FORMAT), start]), "a.bundle")
    with pytest.raises(BundleError) as caught:
        container.manifest()
    assert "the most" in (caught.value.cause or "")
    assert container.place == 512


@pytest.mark.parametrize("data", [b"", b"not a bundle", b"PK\x03\x04" + bytes(600), bytes(2048), b"\x80" * 600])
def test_what_is_no_bundle_is_told(data: bytes) -> None:
    with pytest.raises(BundleError):
        Container(iter([data]), "a.bundle").manifest()


def test_a_file_of_eight_gib_and_more_has_a_header_that_tar_reads() -> None:
    """Its size does not fit into the digits of the old format."""
    blob = Blob(digest="sha256:" + 64 * "0", size=9 << 30)
    written = chunks_of(MANIFEST, SIGNATURE, [blob], lambda _digest: iter(()))
    header = b"".join(next(written) for _ in range(3))[2048:]
    assert tarfile.TarInfo.frombuf(header, "utf-8", "strict").size == 9 << 30
    container = Container(iter([header]), "a.bundle")
    with pytest.raises(BundleError, match="damaged") as caught:
        list(container.blob(blob))
    assert "ends after 512 bytes" in (caught.value.cause or "")
