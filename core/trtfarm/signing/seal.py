"""A signature under a statement: made by the farm's key, taken from any key that the farm trusts."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trtfarm.errors import SignatureError
from trtfarm.signing.keyring import Keyring, TrustedKey
from trtfarm.signing.keys import SigningKey
from trtfarm.signing.statement import EngineStatement

if TYPE_CHECKING:
    from trtfarm.database.schema import EngineRow


class Statement(Protocol):
    """What is signed: words that begin with what they are of, so that they never pass for anything else."""

    def message(self) -> bytes:
        """The bytes that are signed."""


@dataclass(frozen=True, kw_only=True)
class Seal:
    """`signature` is in base64, `key` the id of the key that made it."""

    signature: str
    key: str

    @classmethod
    def of_row(cls, row: EngineRow) -> Seal | None:
        """None for an engine that was built before engines were signed."""
        return cls(signature=row.signature, key=row.signing_key) if row.signature and row.signing_key else None


def sealed(keyring: Keyring, statement: Statement) -> Seal:
    """Signs. Raises SignatureError, StorageError for a key that cannot be used or made."""
    return sealed_with(keyring.signer(), statement)


def sealed_with(signer: SigningKey, statement: Statement) -> Seal:
    """The same with a key that was read before."""
    return Seal(signature=b64encode(signer.sign(statement.message())).decode(), key=signer.public.id)


def check_seal(keyring: Keyring, statement: EngineStatement, seal: Seal | None, name: str) -> TrustedKey:
    """The trusted key that signed just this; raises SignatureError, in which `name` is what the user calls the engine.

    Says nothing about the plan's bytes: whoever reads them compares their digest with the statement's.
    """
    if seal is None:
        raise SignatureError(
            f"{name} is not signed",
            cause="it was built before the farm signed engines, or its signature was taken away",
            remedy=f"build it again (trtfarm submit --fresh), or vouch for it: trtfarm engines sign {name}",
        )
    misfit = SignatureError(
        f"the signature of {name} does not fit it",
        cause="the engine, or what is said of its TensorRT, GPU, shapes or build, is not what was signed",
        remedy="build it again (trtfarm submit --fresh), and find out who else writes to the farm's database",
    )
    return check_signature(keyring, statement, seal, name, misfit=misfit)


def check_signature(
    keyring: Keyring, statement: Statement, seal: Seal, name: str, *, misfit: SignatureError
) -> TrustedKey:
    """The trusted key that signed just this statement, of something that the user calls `name`.

    Raises SignatureError; `misfit` where the key is trusted, and signed something else.
    """
    key = keyring.find(seal.key)
    if key is None:
        raise SignatureError(
            f"{name} is signed with a key that is not trusted here",
            cause=f"the key is {seal.key}",
            remedy="if it is one of yours: trtfarm keys export -o FILE where it signs, trtfarm keys trust FILE here",
        )
    if not key.public.made(_bytes_of(seal, name), statement.message()):
        raise misfit
    return key


def check_row(keyring: Keyring, row: EngineRow) -> TrustedKey:
    """The trusted key that signed the engine of a row; raises SignatureError."""
    return check_seal(keyring, EngineStatement.of_row(row), Seal.of_row(row), row.id)


def _bytes_of(seal: Seal, name: str) -> bytes:
    try:
        signature = b64decode(seal.signature, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    # The last character has bits that decoding passes over: there is one way to write a signature.
    if not signature or b64encode(signature).decode() != seal.signature:
        raise SignatureError(f"the signature of {name} is damaged", remedy="get it again")
    return signature
