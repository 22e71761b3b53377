"""What jobs that were claimed together read, once: rows that never change, files, and the key that engines get."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtfarm.blobs.store import BlobStore
from trtfarm.file_errors import storage_errors
from trtfarm.settings import Settings
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.keys import SigningKey

#: Of a file: which one it is, its bytes, and when it was last written to or changed otherwise, in nanoseconds. The
#: last of these nobody can set.
_Identity = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """One thread uses it, for one job after the other."""

    #: By class and id.
    rows: dict[tuple[type[Any], str], Any] = field(default_factory=dict)
    _fetched: dict[Path, tuple[str, _Identity]] = field(default_factory=dict)

    _signers: list[SigningKey] = field(default_factory=list)

    def signer(self, settings: Settings) -> SigningKey:
        """The farm's key. Raises as `Keyring.signer`."""
        if not self._signers:
            self._signers.append(Keyring.of(settings).signer())
        return self._signers[0]

    def fetch(self, blobs: BlobStore, digest: str, path: Path) -> None:
        """Has a blob's verified bytes in a file; they are fetched again if anything has touched it since.

        The builder of the job before could have: it may have read a hostile model. Raises as `BlobStore.materialize`.
        """
        if self._fetched.get(path) == (digest, _identity(path)):
            return
        with storage_errors(path):
            path.parent.mkdir(exist_ok=True)
        blobs.materialize(digest, path)
        if (found := _identity(path)) is not None:
            self._fetched[path] = digest, found


def _identity(path: Path) -> _Identity | None:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
