"""The farm's keys as files: made once, private, and told apart from those that were added."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trtfarm.errors import NotFoundError, SignatureError, UsageError
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.keys import SigningKey

_MAKE = """
import sys
from pathlib import Path
from trtfarm.signing.keyring import Keyring
sys.stdin.read()
print(Keyring(Path(sys.argv[1])).signer().public.id)
"""


def public_file(folder: Path, key: SigningKey, name: str = "other.pem") -> Path:
    path = folder / name
    path.write_bytes(key.public.pem())
    return path


def test_the_key_is_made_on_first_use_and_then_stays(tmp_path: Path) -> None:
    made = Keyring(tmp_path).signer()
    assert Keyring(tmp_path).signer().public.id == made.public.id
    path = tmp_path / "keys" / "signing.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(key.id, key.own, key.path) for key in Keyring(tmp_path).trusted()] == [(made.public.id, True, path)]


def test_looking_makes_no_key(tmp_path: Path) -> None:
    assert Keyring(tmp_path).trusted() == []
    assert list(tmp_path.iterdir()) == []


def test_processes_that_come_at_once_have_one_key(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    told = set()
    for process in processes:
        assert process.stdout is not None
        told.add(process.stdout.read().strip())
        process.stdout.close()
        assert process.wait() == 0
    assert told == {Keyring(tmp_path).signer().public.id}
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {"signing.pem", ".lock"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    Keyring(tmp_path).signer()
    (tmp_path / "keys" / "signing.pem").chmod(mode)
    for use in (Keyring(tmp_path).signer, Keyring(tmp_path).trusted):
        with pytest.raises(SignatureError, match="not private") as caught:
            use()
        assert "chmod 600" in (caught.value.remedy or "")


def test_a_key_file_that_holds_no_key_is_told_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "fleet.pem"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(SignatureError, match="no private Ed25519 key") as caught:
        Keyring(tmp_path, path).signer()
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_folder_in_the_place_of_the_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys" / "signing.pem").mkdir(parents=True)
    with pytest.raises(SignatureError, match="cannot be read"):
        Keyring(tmp_path).signer()


def test_a_key_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="TRTFARM_SIGNING_KEY"):
        Keyring(tmp_path, tmp_path / "fleet.pem").signer()
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_named_is_used_instead_of_the_homes(tmp_path: Path) -> None:
    fleet = SigningKey.new()
    path = tmp_path / "fleet.pem"
    path.write_bytes(fleet.pem())
    path.chmod(0o600)
    assert Keyring(tmp_path, path).signer().public.id == fleet.public.id


def test_keys_are_trusted_found_by_their_start_and_removed(tmp_path: Path) -> None:
    keyring, other = Keyring(tmp_path), SigningKey.new()
    added = keyring.trust(public_file(tmp_path, other))
    assert (added.id, added.own) == (other.public.id, False)
    assert keyring.trust(public_file(tmp_path, other, "again.pem")).path == added.path
    digits = other.public.id.partition(":")[2]
    assert keyring.remove(digits[:12]).id == other.public.id
    assert keyring.trusted() == []
    with pytest.raises(NotFoundError):
        keyring.remove(digits)


def test_the_own_key_is_not_removed(tmp_path: Path) -> None:
    own = Keyring(tmp_path).signer().public
    with pytest.raises(UsageError, match="signs with"):
        Keyring(tmp_path).remove(own.id)


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(SigningKey.new().pem())
    with pytest.raises(SignatureError, match="private key"):
        Keyring(tmp_path).trust(path)
    assert Keyring(tmp_path).trusted() == []


def test_what_is_no_key_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"\x00garbage")
    with pytest.raises(SignatureError, match="no public Ed25519 key"):
        Keyring(tmp_path).trust(path)
    with pytest.raises(NotFoundError):
        Keyring(tmp_path).trust(tmp_path / "nowhere.pem")
