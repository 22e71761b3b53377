"""A bundle's signature: by the farm that made it, over the manifest, which has the digest of everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass

from trtfarm.digests import canonical_json, digest_of_bytes
from trtfarm.errors import BundleError, SignatureError
from trtfarm.signing.keyring import Keyring, TrustedKey
from trtfarm.signing.seal import Seal, check_signature, sealed

#: A signature made for anything else must not pass for one of a bundle.
_DOMAIN = b"trtfarm bundle, statement 1\n"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BundleStatement:
    """The signed words; `bundle` is the digest of the manifest, and with it stands for the whole bundle."""

    bundle: str

    @classmethod
    def of(cls, manifest: bytes) -> BundleStatement:
        return cls(bundle=digest_of_bytes(manifest))

    def message(self) -> bytes:
        return _DOMAIN + self.bundle.encode()


def signed(keyring: Keyring, statement: BundleStatement) -> bytes:
    """What stands in manifest.sig. Raises SignatureError, StorageError for a key that cannot be used or made."""
    seal = sealed(keyring, statement)
    return canonical_json({"version": _VERSION, "key": seal.key, "signature": seal.signature})


def seal_of(data: bytes, name: str) -> Seal:
    """The signature in a bundle's manifest.sig. Raises BundleError for what is none."""
    try:
        found = json.loads(data)
        good = canonical_json(found) == data
    except (ValueError, RecursionError):
        found, good = None, False
    if not good or not isinstance(found, dict) or set(found) != {"version", "key", "signature"}:
        raise BundleError(f"{name} is damaged", cause="its signature cannot be read", remedy="get the bundle again")
    if found["version"] != _VERSION:
        raise BundleError(
            f"{name} has a signature of version {found['version']!r:.20}, which this release does not know",
            remedy="upgrade trtfarm here",
        )
    if not isinstance(found["key"], str) or not isinstance(found["signature"], str):
        raise BundleError(f"{name} is damaged", cause="its signature cannot be read", remedy="get the bundle again")
    return Seal(signature=found["signature"], key=found["key"])


def check(keyring: Keyring, statement: BundleStatement, seal: Seal, name: str) -> TrustedKey:
    """The trusted key that signed the bundle. Raises SignatureError."""
    misfit = SignatureError(
        f"the signature of {name} does not fit it",
        cause="the bundle is not what was signed: it was damaged or changed on its way",
        remedy="get it again from the farm that made it",
    )
    return check_signature(keyring, statement, seal, name, misfit=misfit)
