"""A signature fits one engine, for one purpose, by one key."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.signing.engines import PLAN, engine_row
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import NotFoundError, SignatureError
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.keys import SigningKey
from trtfarm.signing.seal import Seal, check_row, check_seal, sealed
from trtfarm.signing.signed_file import check_file, checked_copy, signature_path, write_signature
from trtfarm.signing.statement import EngineStatement

#: What somebody might have one engine pass for, or change in a row.
CHANGES: dict[str, Any] = {
    "blob": digest_of_bytes(b"another plan"),
    "size": len(PLAN) + 1,
    "key": digest_of_bytes(b"another key"),
    "precision": "fp32",
    "tensorrt": "8.5.2.2",
    "compute_capability": "sm_89",
    "gpu": None,
    "profiles": {"data": {"min": [1, 4], "opt": [8, 4], "max": [64, 4]}},
    "facts": {"toolchain": "tensorrt", "io": []},
}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "home")


@pytest.fixture
def pulled(tmp_path: Path, keyring: Keyring) -> Path:
    """An engine's file with its signature beside it."""
    path = tmp_path / "lenet.engine"
    path.write_bytes(PLAN)
    statement = EngineStatement.of_row(engine_row())
    write_signature(path, statement, sealed(keyring, statement))
    return path


def flipped(signature: str) -> str:
    data = bytearray(b64decode(signature))
    data[10] ^= 1
    return b64encode(data).decode()


def test_a_signed_row_is_as_it_was_signed(keyring: Keyring) -> None:
    row = engine_row()
    seal = sealed(keyring, EngineStatement.of_row(row))
    row.signature, row.signing_key = seal.signature, seal.key
    assert check_row(keyring, row).own


@pytest.mark.parametrize("name", CHANGES)
def test_a_row_that_was_changed_is_refused(keyring: Keyring, name: str) -> None:
    seal = sealed(keyring, EngineStatement.of_row(engine_row()))
    row = engine_row(**{name: CHANGES[name]}, signature=seal.signature, signing_key=seal.key)
    with pytest.raises(SignatureError, match="does not fit"):
        check_row(keyring, row)


def test_a_row_without_a_signature_is_refused_with_the_ways_out(keyring: Keyring) -> None:
    with pytest.raises(SignatureError, match="not signed") as caught:
        check_row(keyring, engine_row())
    assert "--fresh" in str(caught.value)
    assert "engines sign eng_1" in str(caught.value)


def test_a_changed_signature_is_refused(keyring: Keyring) -> None:
    statement = EngineStatement.of_row(engine_row())
    seal = sealed(keyring, statement)
    with pytest.raises(SignatureError, match="does not fit"):
        check_seal(keyring, statement, replace(seal, signature=flipped(seal.signature)), "eng_1")
    for damaged in ("", "AAAA", "not base64!", "\udcff"):
        with pytest.raises(SignatureError):
            check_seal(keyring, statement, replace(seal, signature=damaged), "eng_1")


def test_another_farms_key_counts_once_it_is_trusted(keyring: Keyring, tmp_path: Path) -> None:
    other, statement = Keyring(tmp_path / "other"), EngineStatement.of_row(engine_row())
    seal = sealed(other, statement)
    with pytest.raises(SignatureError, match="not trusted here") as caught:
        check_seal(keyring, statement, seal, "eng_1")
    assert other.signer().public.id in str(caught.value)
    (tmp_path / "other.pem").write_bytes(other.signer().public.pem())
    keyring.trust(tmp_path / "other.pem")
    assert not check_seal(keyring, statement, seal, "eng_1").own


def test_the_name_of_a_trusted_key_does_not_help_another_ones_signature(keyring: Keyring) -> None:
    statement = EngineStatement.of_row(engine_row())
    signature = b64encode(SigningKey.new().sign(statement.message())).decode()
    with pytest.raises(SignatureError, match="does not fit"):
        check_seal(keyring, statement, Seal(signature=signature, key=keyring.signer().public.id), "eng_1")


def test_a_signature_over_the_same_words_for_another_purpose_does_not_count(keyring: Keyring) -> None:
    statement = EngineStatement.of_row(engine_row())
    bare = statement.message().partition(b"\n")[2]
    seal = Seal(signature=b64encode(keyring.signer().sign(bare)).decode(), key=keyring.signer().public.id)
    with pytest.raises(SignatureError, match="does not fit"):
        check_seal(keyring, statement, seal, "eng_1")


def test_engines_of_the_first_release_are_of_the_only_kind_there_was() -> None:
    assert EngineStatement.of_row(engine_row(facts={"io": []})).toolchain == "tensorrt-rtx"


def test_a_pulled_file_is_known_by_its_signature(keyring: Keyring, pulled: Path, tmp_path: Path) -> None:
    assert check_file(keyring, pulled).statement == EngineStatement.of_row(engine_row())
    copy = tmp_path / "copy"
    assert checked_copy(keyring, pulled, copy).key.own
    assert copy.read_bytes() == PLAN


def test_one_bit_of_the_plan_is_enough(keyring: Keyring, pulled: Path, tmp_path: Path) -> None:
    pulled.write_bytes(bytes([PLAN[0] ^ 1]) + PLAN[1:])
    with pytest.raises(SignatureError, match="not the engine that was signed"):
        check_file(keyring, pulled)
    with pytest.raises(SignatureError, match="not the engine that was signed"):
        checked_copy(keyring, pulled, tmp_path / "copy")


def test_a_file_without_its_signature_is_refused(keyring: Keyring, pulled: Path) -> None:
    signature_path(pulled).unlink()
    with pytest.raises(SignatureError, match="no signature beside it"):
        check_file(keyring, pulled)


def test_there_must_be_a_file(keyring: Keyring, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        check_file(keyring, tmp_path / "nowhere.engine")


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        text = json.loads(data)
        change(text)
        return json.dumps(text).encode()

    return edit


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda _: b"",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff\xfe",
        lambda _: b"[]",
        lambda _: b'{"version": 1}',
        lambda data: data.replace(b"sm_90", b"sm_89"),
        edited(lambda text: text.update(version=2)),
        edited(lambda text: text.update(signature=flipped(text["signature"]))),
        edited(lambda text: text.update(signature=7)),
        edited(lambda text: text.update(key="ed25519:00")),
        edited(lambda text: text["statement"].pop("gpu")),
        edited(lambda text: text["statement"].update(more=1)),
        edited(lambda text: text["statement"].update(plan="../../plan")),
        edited(lambda text: text["statement"].update(size=True)),
        edited(lambda text: text["statement"].update(io={"a": float("nan")})),
        edited(lambda text: text["statement"].update(profiles={"a": float("inf")})),
    ],
)
def test_a_signature_file_that_was_changed_is_refused(
    keyring: Keyring, pulled: Path, change: Callable[[bytes], bytes]
) -> None:
    path = signature_path(pulled)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SignatureError):
        check_file(keyring, pulled)
