"""Ed25519 keys (RFC 8032) in PEM, as OpenSSL reads and writes them."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from trtfarm.errors import SignatureError

_PREFIX = "ed25519:"
#: What stands in a PEM file that must not be handed around.
_PRIVATE = b"PRIVATE KEY"


class PublicKey:
    """Checks signatures. `id` is the SHA-256 of its 32 bytes, which tells keys apart in rows and files."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.id = _PREFIX + hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()

    @classmethod
    def of_pem(cls, data: bytes, name: str) -> PublicKey:
        """Raises SignatureError for what is no public Ed25519 key; `name` is the file's."""
        if _PRIVATE in data:
            raise SignatureError(
                f"{name} is a private key, which stays where it is",
                remedy="trtfarm keys export, where it is used, gives the public one",
            )
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _no_key(name, "public") from error
        if not isinstance(key, Ed25519PublicKey):
            raise _no_key(name, "public")
        return cls(key)

    def pem(self) -> bytes:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def made(self, signature: bytes, message: bytes) -> bool:
        """Whether its private half signed this message so."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """Signs. Its bytes leave it for its own file only."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def new(cls) -> SigningKey:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of_pem(cls, data: bytes, name: str) -> SigningKey:
        """Raises SignatureError for what is no private Ed25519 key without a password."""
        try:
            key = load_pem_private_key(data, password=None)
        # Where the file has a password, TypeError says so. No cause is kept: it might quote what it could not read.
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise _no_key(name, "private") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _no_key(name, "private")
        return cls(key)

    def pem(self) -> bytes:
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def _no_key(name: str, kind: str) -> SignatureError:
    option = "pkey -pubout" if kind == "public" else "genpkey -algorithm ed25519"
    return SignatureError(
        f"{name} is no {kind} Ed25519 key",
        cause="it must be PEM, without a password",
        remedy=f"make one with trtfarm keys export, or with openssl {option}"
        if kind == "public"
        else f"put the right file back, or make a new key: openssl {option} -out {name}",
    )
