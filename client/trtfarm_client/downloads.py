"""A file on its way here: what has come, its digest so far, and where to go on."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from trtfarm.digests import is_digest
from trtfarm.durable_files import sync
from trtfarm.errors import BundleError, CorruptBlobError, ServerError, UnreachableError
from trtfarm.file_errors import storage_errors

_PARTIAL = 206
_MODE = 0o644
_READ_BYTES = 1 << 22
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class Receiving:
    """Bytes that are hashed while they are written to a descriptor.

    `digest` is what they have to be; where nobody says, the ETag of the first answer is taken.
    """

    def __init__(self, descriptor: int, digest: str | None, report: Callable[[int, int], None]) -> None:
        self.digest = digest
        self.place = 0
        self._descriptor = descriptor
        self._sha256 = hashlib.sha256()
        self._report = report
        self._size: int | None = None

    def headers(self) -> dict[str, str]:
        """What asks for the rest, or for everything should it be another blob by now."""
        if not self.place:
            return {}
        return {"Range": f"bytes={self.place}-", "If-Range": f'"{self.digest}"'}

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """An answer begins. Raises ServerError where it is not what was asked for."""
        tag = headers.get("ETag", "").strip('"')
        if not is_digest(tag) or self.digest not in (None, tag):
            raise ServerError("the server gives another file than was asked for", cause=f"its ETag is {tag[:80]!r}")
        self.digest = tag
        if status != _PARTIAL:
            self._restart(int(headers.get("Content-Length", "0")))
            return
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if found is None or int(found[1]) != self.place:
            raise ServerError("the server gives another range than was asked for")
        self._size = int(found[3])

    def take(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._sha256.update(piece)
        self.place += len(piece)
        self._report(self.place, self._size or self.place)

    def check(self) -> None:
        """Raises UnreachableError while some is missing, CorruptBlobError for bytes that are not the digest's."""
        if self._size is not None and self.place < self._size:
            raise UnreachableError(f"{self.place} of {self._size} bytes came", remedy="try again")
        found = self._found()
        if found != self.digest:
            raise CorruptBlobError(
                f"the bytes that came are not those of {self.digest}", cause=f"they are {found}", remedy="try again"
            )

    def _found(self) -> str:
        """What came."""
        return f"sha256:{self._sha256.hexdigest()}"

    def _restart(self, size: int) -> None:
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.place, self._size, self._sha256 = 0, size, hashlib.sha256()


class ReceivingBundle(Receiving):
    """A bundle, whose `digest` is that of its manifest, which has those of everything else."""

    def _found(self) -> str:
        from trtfarm.bundles.described import whole_manifest  # noqa: PLC0415 - other downloads do without

        try:
            return whole_manifest(self._pieces(), "what came").digest
        except BundleError as error:
            return f"no bundle ({error.cause or error.message})"

    def _pieces(self) -> Iterator[bytes]:
        place = 0
        while piece := os.pread(self._descriptor, _READ_BYTES, place):
            place += len(piece)
            yield piece


@contextmanager
def receiving(
    destination: Path, digest: str | None, report: Callable[[int, int], None], kind: type[Receiving] = Receiving
) -> Iterator[Receiving]:
    """Bytes for a file that appears, whole and synced, when the block ends well, and else not at all."""
    with storage_errors(destination):
        descriptor, name = mkstemp(dir=destination.parent, prefix=f".{destination.name}-")
        unfinished = Path(name)
        try:
            yield kind(descriptor, digest, report)
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
            unfinished.replace(destination)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        sync(destination.parent)
