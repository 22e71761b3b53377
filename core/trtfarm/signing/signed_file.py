"""An engine as a file that tells what it is: `<file>.sig` beside it holds the statement and its signature, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from trtfarm.blobs.objects import CHUNK_BYTES
from trtfarm.digests import digest_of_file
from trtfarm.durable_files import write_durably
from trtfarm.errors import SignatureError
from trtfarm.file_errors import opening, remedy_for, storage_errors
from trtfarm.regular_files import open_regular
from trtfarm.signing.keyring import Keyring, TrustedKey
from trtfarm.signing.seal import Seal, check_seal
from trtfarm.signing.statement import EngineStatement

_SUFFIX = ".sig"
_VERSION = 1
_LARGEST = 1 << 22
_MODE = 0o644


@dataclass(frozen=True, kw_only=True)
class SignedEngine:
    """What `<file>.sig` says, checked against a trusted key."""

    statement: EngineStatement
    key: TrustedKey


def signature_path(engine: Path) -> Path:
    return engine.with_name(engine.name + _SUFFIX)


def write_signature(engine: Path, statement: EngineStatement, seal: Seal) -> Path:
    """Writes `<engine>.sig` in one step. Raises DiskFullError, StorageError."""
    path = signature_path(engine)
    with storage_errors(path):
        write_durably(path, iter([signature_text(statement, seal)]), temporary=path.parent, mode=_MODE)
    return path


def signature_text(statement: EngineStatement, seal: Seal) -> bytes:
    """What stands in a `.sig` file."""
    text = {"version": _VERSION, "statement": statement.as_dict(), "signature": seal.signature, "key": seal.key}
    return json.dumps(text, indent=1, ensure_ascii=False).encode()


def check_file(keyring: Keyring, engine: Path) -> SignedEngine:
    """Raises NotFoundError, UnreadableError, and SignatureError unless a trusted key signed these very bytes."""
    signed = _check_signature(keyring, engine)
    with storage_errors(engine):
        _check_plan(engine, digest_of_file(engine), signed)
    return signed


def checked_copy(keyring: Keyring, engine: Path, copy: Path) -> SignedEngine:
    """The same of a copy that it makes: what is loaded later is what was looked at, whoever writes to the original."""
    signed = _check_signature(keyring, engine)
    with storage_errors(copy), open_regular(engine) as file:
        write_durably(copy, iter(lambda: file.read(CHUNK_BYTES), b""), temporary=copy.parent, mode=_MODE)
    _check_plan(engine, digest_of_file(copy), signed)
    return signed


def _check_signature(keyring: Keyring, engine: Path) -> SignedEngine:
    with opening(engine, "an engine"):
        open_regular(engine).close()
    statement, seal = _read(signature_path(engine), engine)
    return SignedEngine(statement=statement, key=check_seal(keyring, statement, seal, str(engine)))


def _check_plan(engine: Path, digest: str, signed: SignedEngine) -> None:
    if digest != signed.statement.plan:
        raise SignatureError(
            f"{engine} is not the engine that was signed",
            cause=f"its digest is {digest}, and {signature_path(engine).name} is for {signed.statement.plan}",
            remedy="pull it again: trtfarm engines pull",
        )


def _read(path: Path, engine: Path) -> tuple[EngineStatement, Seal]:
    try:
        with open_regular(path) as file:
            data = json.loads(file.read(_LARGEST))
    except FileNotFoundError as error:
        raise SignatureError(
            f"{engine} has no signature beside it ({path.name})",
            cause="it was pulled without one, or the two were parted",
            remedy="pull it again: trtfarm engines pull writes both",
        ) from error
    except OSError as error:
        raise SignatureError(
            f"{path} cannot be read", cause=error.strerror, remedy=remedy_for(error, "pull the engine again")
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(data, dict) or data.get("version") != _VERSION:
        raise _damaged(path, "it is of no version that this release knows")
    signature, key = data.get("signature"), data.get("key")
    if not isinstance(signature, str) or not isinstance(key, str):
        raise _damaged(path, "it holds no signature")
    return EngineStatement.of_dict(data.get("statement")), Seal(signature=signature, key=key)


def _damaged(path: Path, cause: str) -> SignatureError:
    return SignatureError(f"{path} is no signature of an engine", cause=cause, remedy="pull the engine again")
