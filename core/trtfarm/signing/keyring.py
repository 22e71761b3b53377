"""The keys of this farm: the one it signs with, and those whose signatures it takes."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trtfarm.durable_files import write_durably
from trtfarm.errors import NotFoundError, SignatureError, UsageError
from trtfarm.file_errors import opening, remedy_for, storage_errors
from trtfarm.regular_files import open_regular
from trtfarm.settings import Settings
from trtfarm.signing.keys import PublicKey, SigningKey

_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o644
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LARGEST_KEY_FILE = 1 << 14


@dataclass(frozen=True, kw_only=True)
class TrustedKey:
    """`own` is the key that this farm signs with; the others were added by whoever runs it."""

    public: PublicKey
    own: bool
    path: Path

    @property
    def id(self) -> str:
        return self.public.id


class Keyring:
    """Files `<home>/keys/signing.pem` and `<home>/keys/trusted/*.pem`. Who can write there decides what is loaded."""

    def __init__(self, home: Path, signing_key: Path | None = None) -> None:
        self._folder = home / "keys"
        self._named = signing_key
        self._path = signing_key or self._folder / "signing.pem"

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        return cls(settings.home, settings.signing_key)

    def signer(self) -> SigningKey:
        """The key to sign with, made now if this is the first use. Raises SignatureError, StorageError."""
        found = self._own()
        if found is None:
            if self._named:
                raise SignatureError(
                    f"there is no key {self._path}, which TRTFARM_SIGNING_KEY names",
                    remedy=f"put it there, or make one: openssl genpkey -algorithm ed25519 -out {self._path} "
                    f"&& chmod 600 {self._path}",
                )
            self._make()
            found = self._own()
        if found is None:
            raise SignatureError(f"the key {self._path} was removed as soon as it was made")
        return found

    def trusted(self) -> list[TrustedKey]:
        """The farm's own key, if there is one yet, then the others. Raises SignatureError for a file that is no key."""
        own = self._own()
        mine = [TrustedKey(public=own.public, own=True, path=self._path)] if own else []
        known = {key.id for key in mine}
        others = [
            TrustedKey(public=PublicKey.of_pem(_kept(path), str(path)), own=False, path=path)
            for path in sorted((self._folder / "trusted").glob("*.pem"))
        ]
        return mine + [key for key in others if key.id not in known]

    def find(self, key_id: str) -> TrustedKey | None:
        return next((key for key in self.trusted() if key.id == key_id), None)

    def trust(self, path: Path) -> TrustedKey:
        """Takes signatures of a PEM file's key from now on. Raises NotFoundError, UnreadableError, SignatureError."""
        with opening(path, "the key"):
            data = _content(path)
        public = PublicKey.of_pem(data, str(path))
        known = self.find(public.id)
        if known:
            return known
        folder = self._folder / "trusted"
        target = folder / f"{public.id.partition(':')[2]}.pem"
        with storage_errors(target):
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(target, iter([public.pem()]), temporary=folder, mode=_PUBLIC_MODE)
        return TrustedKey(public=public, own=False, path=target)

    def remove(self, text: str) -> TrustedKey:
        """Takes no more signatures of a key that was added; `text` is its id, or the start of it.

        Raises NotFoundError, and UsageError where several start so or it is the farm's own.
        """
        key = _the_one(self.trusted(), text)
        if key.own:
            raise UsageError(
                f"{key.id} is the key that this farm signs with",
                remedy="set TRTFARM_SIGNING_KEY to sign with another one",
            )
        with storage_errors(key.path):
            key.path.unlink(missing_ok=True)
        return key

    def _own(self) -> SigningKey | None:
        try:
            data = _kept(self._path, private=True)
        except FileNotFoundError:
            return None
        return _signing_key(data, str(self._path))

    def _make(self) -> None:
        """The first process makes the key; whoever waited for the lock finds it."""
        with storage_errors(self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._path.exists():
                    write_durably(
                        self._path, iter([SigningKey.new().pem()]), temporary=self._folder, mode=_PRIVATE_MODE
                    )


@lru_cache(maxsize=4)
def _signing_key(data: bytes, name: str) -> SigningKey:
    """Kept, as a worker signs again and again, and reading the PEM takes longer than signing."""
    return SigningKey.of_pem(data, name)


def _kept(path: Path, *, private: bool = False) -> bytes:
    """A key's file of this farm. Raises FileNotFoundError, and SignatureError where it cannot be read or be private."""
    try:
        return _content(path, private=private)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SignatureError(
            f"the key {path} cannot be read",
            cause=error.strerror,
            remedy=remedy_for(error, "name the key's own file"),
        ) from error


def _content(path: Path, *, private: bool = False) -> bytes:
    """What is in a key's file. Raises OSError, and SignatureError where it ought to be private."""
    with open_regular(path) as file:
        facts = os.fstat(file.fileno())
        data = file.read(_LARGEST_KEY_FILE)
    if private and facts.st_mode & _OTHERS:
        raise SignatureError(
            f"the key {path} is not private",
            cause=f"its permissions are {stat.filemode(facts.st_mode)}: others could sign as this farm",
            remedy=f"chmod 600 {path}; if others may have read it, replace it and build again",
        )
    return data


def _the_one(keys: Sequence[TrustedKey], text: str) -> TrustedKey:
    found = [key for key in keys if key.id.startswith(text) or key.id.partition(":")[2].startswith(text)]
    if not found:
        raise NotFoundError(f"there is no key {text!r}", remedy="trtfarm keys list shows those that there are")
    if len(found) > 1:
        several = ", ".join(key.id for key in found)
        raise UsageError(f"several keys start with {text!r}", cause=several, remedy="write more of the id")
    return found[0]
