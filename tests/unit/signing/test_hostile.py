"""Signature files and keys that anybody may hand in: whatever is in them, the answer is one of ours."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.signing.engines import PLAN, engine_row
from trtfarm.errors import SignatureError
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.keys import PublicKey, SigningKey
from trtfarm.signing.seal import sealed
from trtfarm.signing.signed_file import check_file, signature_path, signature_text
from trtfarm.signing.statement import EngineStatement

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keyring, Path, dict[str, Any]]:
    """A keyring, an engine's file, and what its true signature file would hold."""
    folder = tmp_path_factory.mktemp("signed")
    keyring, path = Keyring(folder), folder / "lenet.engine"
    path.write_bytes(PLAN)
    statement = EngineStatement.of_row(engine_row())
    return keyring, path, json.loads(signature_text(statement, sealed(keyring, statement)))


def refused(keyring: Keyring, path: Path, data: bytes) -> None:
    signature_path(path).write_bytes(data)
    with pytest.raises(SignatureError):
        check_file(keyring, path)


@given(data=st.binary(max_size=64))
def test_bytes_are_no_signature(signed: tuple[Keyring, Path, dict[str, Any]], data: bytes) -> None:
    refused(signed[0], signed[1], data)


@given(name=st.sampled_from(["version", "statement", "signature", "key"]), value=values)
def test_a_part_that_is_something_else_is_refused(
    signed: tuple[Keyring, Path, dict[str, Any]], name: str, value: Any
) -> None:
    keyring, path, text = signed
    if value != text[name]:
        refused(keyring, path, json.dumps({**text, name: value}).encode())


@given(name=st.sampled_from(sorted(EngineStatement.of_row(engine_row()).as_dict())), value=values)
def test_a_word_that_is_something_else_is_refused(
    signed: tuple[Keyring, Path, dict[str, Any]], name: str, value: Any
) -> None:
    keyring, path, text = signed
    if value != text["statement"][name]:
        refused(keyring, path, json.dumps({**text, "statement": {**text["statement"], name: value}}).encode())


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_one_bit_is_enough(signed: tuple[Keyring, Path, dict[str, Any]], position: int, bit: int) -> None:
    keyring, path, text = signed
    data = bytearray(json.dumps(text, separators=(",", ":")).encode())
    data[position % len(data)] ^= 1 << bit
    refused(keyring, path, bytes(data))


def test_there_is_one_way_to_write_a_signature(signed: tuple[Keyring, Path, dict[str, Any]]) -> None:
    keyring, path, text = signed
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    start, last = text["signature"][:85], text["signature"][85]
    spare = digits[digits.index(last) ^ 1]
    assert b64decode(f"{start}{spare}==") == b64decode(text["signature"])
    refused(keyring, path, json.dumps({**text, "signature": f"{start}{spare}=="}).encode())


def _private(key: Any, encryption: Any = None) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return data


@pytest.mark.parametrize(
    "data",
    [
        lambda: _private(ec.generate_private_key(ec.SECP256R1())),
        lambda: _private(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"password")),
        lambda: _private(Ed25519PrivateKey.generate())[:60],
        SigningKey.new().public.pem,
        lambda: b"",
    ],
)
def test_only_an_open_ed25519_key_signs(data: Callable[[], bytes]) -> None:
    with pytest.raises(SignatureError, match="no private Ed25519 key"):
        SigningKey.of_pem(data(), "key.pem")


def test_only_an_ed25519_key_is_trusted() -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    for data in (other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), b"", b"\xff" * 40):
        with pytest.raises(SignatureError, match="no public Ed25519 key"):
            PublicKey.of_pem(data, "key.pem")
