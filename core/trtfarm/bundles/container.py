"""A bundle's bytes: a tar that any `tar` unpacks, of which there is only one for what it holds.

manifest.json, manifest.sig, the blobs as blobs/sha256/<64 hex digits> in the order of the manifest, two empty blocks.
Whoever reads it knows from the manifest what comes next, and compares each header with the one that would be written:
names in a bundle are never taken for paths, and nothing can stand in it that the manifest does not tell.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence

from trtfarm.blobs.store import Blob
from trtfarm.errors import BundleError

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
#: What a manifest may take; a signature takes a few hundred bytes.
LARGEST_MANIFEST = 64 << 20
_LARGEST_SIGNATURE = 1 << 12
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_MODE = 0o644
#: Where a header has the size of its entry.
_SIZE = slice(124, 136)
_OCTAL = re.compile(rb"[0-7]{11}\0")
_AGAIN = "get the bundle again, or export it again"


def chunks_of(
    manifest: bytes, signature: bytes, blobs: Sequence[Blob], content: Callable[[str], Iterator[bytes]]
) -> Iterator[bytes]:
    """All bytes of a bundle; `content` gives those of a blob by its digest, and raises if they are not the digest's."""
    for name, data in ((MANIFEST, manifest), (SIGNATURE, signature)):
        yield b"".join([_header(name, len(data)), data, _padding(len(data))])
    for blob in blobs:
        yield _header(_name(blob), blob.size)
        yield from content(blob.digest)
        yield _padding(blob.size)
    yield _END


def size_of(manifest: int, signature: int, blobs: Iterable[Blob]) -> int:
    """Bytes of the bundle whose manifest and signature have so many."""
    sizes = [manifest, signature, *(blob.size for blob in blobs)]
    return sum(_BLOCK + size + len(_padding(size)) for size in sizes) + len(_END)


class Container:
    """The bytes of a bundle that somebody else made, read from the first to the last.

    Its methods are called in the order in which the bundle has its parts, and raise BundleError. `place` is how many
    bytes were read. `name` is what the user calls the bundle.
    """

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self.place = 0
        self.name = name
        self._chunks = chunks
        self._held = memoryview(b"")

    def manifest(self) -> bytes:
        return self._part(MANIFEST, LARGEST_MANIFEST)

    def signature(self) -> bytes:
        return self._part(SIGNATURE, _LARGEST_SIGNATURE)

    def blob(self, blob: Blob) -> Iterator[bytes]:
        """The blob's bytes, to be read to their end: only then are they known to be its digest's."""
        self._expect(_header(_name(blob), blob.size), f"what follows is not the blob {blob.digest}")
        sha256 = hashlib.sha256()
        for piece in self._pieces(blob.size):
            sha256.update(piece)
            yield piece
        if f"sha256:{sha256.hexdigest()}" != blob.digest:
            raise self._damaged(f"the bytes of {blob.digest} are others")
        self._expect(_padding(blob.size), f"the bytes behind {blob.digest} are not empty")

    def end(self) -> None:
        """Nothing may follow."""
        self._expect(_END, "more follows than the manifest tells")
        self.nothing_more()

    def nothing_more(self) -> None:
        """Whoever reads only the beginning of a bundle calls this behind it."""
        if self._held or any(self._chunks):
            raise self._damaged("more follows behind its end")

    def _part(self, name: str, most: int) -> bytes:
        header = b"".join(self._pieces(_BLOCK))
        found = header[_SIZE]
        size = int(found[:-1], 8) if _OCTAL.fullmatch(found) else -1
        if size < 0 or header != _header(name, size):
            raise BundleError(
                f"{self.name} is no bundle",
                cause=f"it does not have {name} where bundles have it",
                remedy="name a file that trtfarm bundle export wrote",
            )
        if size > most:
            raise self._damaged(f"its {name} has {size:,} bytes, and {most:,} are the most")
        data = b"".join(self._pieces(size))
        self._expect(_padding(size), f"the bytes behind {name} are not empty")
        return data

    def _expect(self, wanted: bytes, damage: str) -> None:
        if b"".join(self._pieces(len(wanted))) != wanted:
            raise self._damaged(damage)

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Just the next `size` bytes."""
        while size:
            if not self._held:
                chunk = next(self._chunks, None)
                if chunk is None:
                    raise self._damaged(f"it ends after {self.place:,} bytes, in the middle of something")
                self._held = memoryview(chunk)
            piece, self._held = bytes(self._held[:size]), self._held[size:]
            size -= len(piece)
            self.place += len(piece)
            yield piece

    def _damaged(self, cause: str) -> BundleError:
        return BundleError(f"{self.name} is damaged", cause=cause, remedy=_AGAIN)


def _name(blob: Blob) -> str:
    return f"blobs/{blob.digest.replace(':', '/')}"


def _header(name: str, size: int) -> bytes:
    """The same for the same name and size: no times, no owners. A size of 8 GiB or more is written as GNU tar does."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, _MODE
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
