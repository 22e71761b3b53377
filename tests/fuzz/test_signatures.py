"""Signature files: whatever is in them, no engine passes but the one that was signed, and for what it was signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.unit.signing.engines import PLAN, engine_row
from trtfarm.errors import SignatureError
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.keys import PublicKey, SigningKey
from trtfarm.signing.seal import sealed
from trtfarm.signing.signed_file import check_file, signature_path, signature_text
from trtfarm.signing.statement import EngineStatement

STATEMENT = EngineStatement.of_row(engine_row())
KEY = SigningKey.new()


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signed") / "lenet.engine"
    path.write_bytes(PLAN)
    return path


@given(data=st.data())
def test_a_file_of_bytes(keyring: Keyring, engine: Path, data: st.DataObject) -> None:
    true = signature_text(STATEMENT, sealed(keyring, STATEMENT))
    _check(keyring, engine, data.draw(mutated([true], (b'"', b":", b"{", b"[[[[", b"1e999", b"\\ud800"))))


@given(data=st.data())
def test_a_document(keyring: Keyring, engine: Path, data: st.DataObject) -> None:
    true = json.loads(signature_text(STATEMENT, sealed(keyring, STATEMENT)))
    _check(keyring, engine, json.dumps(data.draw(altered([true]))).encode())


@given(plan=mutated([PLAN]))
def test_another_plan(keyring: Keyring, engine: Path, plan: bytes) -> None:
    signature_path(engine).write_bytes(signature_text(STATEMENT, sealed(keyring, STATEMENT)))
    engine.write_bytes(plan)
    passed = outcome(lambda: check_file(keyring, engine), SignatureError)
    engine.write_bytes(PLAN)
    assert (passed is not None) == (plan == PLAN)


@given(data=mutated([KEY.pem(), KEY.public.pem()], (b"-----BEGIN PUBLIC KEY-----\n", b"-----END", b"\n")))
def test_keys(data: bytes) -> None:
    public = outcome(lambda: PublicKey.of_pem(data, "key.pem"), SignatureError)
    assert public is None or PublicKey.of_pem(public.pem(), "again").id == public.id
    private = outcome(lambda: SigningKey.of_pem(data, "key.pem"), SignatureError)
    assert private is None or SigningKey.of_pem(private.pem(), "again").public.id == private.public.id


def _check(keyring: Keyring, engine: Path, text: Any) -> None:
    signature_path(engine).write_bytes(text)
    passed = outcome(lambda: check_file(keyring, engine), SignatureError)
    if passed is not None:
        assert passed.statement == STATEMENT
    assert {path.name for path in engine.parent.iterdir()} == {engine.name, signature_path(engine).name}
