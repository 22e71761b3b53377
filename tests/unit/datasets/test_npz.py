"""Archives of arrays: numpy's own, and what a zip file can be beside that."""

from __future__ import annotations

import struct
import time
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, prepared, refusal
from trtfarm.datasets import limits
from trtfarm.datasets.archives import member_names
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind
from trtfarm.errors import DataError

NPZ = SourceKind.NPZ


def _npy_bytes(value: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_member_is_the_array(tmp_path: Path, save: object) -> None:
    values = array(50, 4)
    assert callable(save)
    save(tmp_path / "x.npz", values=values)
    data = prepared(tmp_path / "x.npz", kind=NPZ)
    assert np.array_equal(np.load(data.inputs["x"].path), values)


def test_zeros_pack_well_and_are_no_bomb(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((200_000, 4), np.float32))
    assert prepared(tmp_path / "x.npz", kind=NPZ).samples == 200_000


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1_000_000)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((200_000, 4), np.float32))
    assert "decompression bomb" in refusal(tmp_path / "x.npz", kind=NPZ)


def _with_records(path: Path, *, named: int = 0, directory: int | None = None) -> None:
    """An archive of `x` with the end records of a large one: the place that they name, and the size that they tell."""
    np.savez(path, x=array(50, 4))
    content = path.read_bytes()
    end = content.rfind(b"PK\x05\x06")
    size, offset = struct.unpack_from("<LL", content, end + 12)
    told = (b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size if directory is None else directory, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end + named, 1)
    path.write_bytes(content[:end] + struct.pack("<4sQ2H2L4Q", *told) + locator + content[end:])


def test_archives_of_more_than_four_gibibytes_have_more_records(tmp_path: Path) -> None:
    _with_records(tmp_path / "x.npz")
    assert prepared(tmp_path / "x.npz", kind=NPZ).samples == 50
    _with_records(tmp_path / "x.npz", directory=1 << 30)
    assert "list of members" in refusal(tmp_path / "x.npz", kind=NPZ)


@pytest.mark.parametrize("named", [-4, 1 << 40, (1 << 64) - 5000])
def test_records_that_two_readers_could_find_in_two_places(tmp_path: Path, named: int) -> None:
    """One release of Python reads the record that is named, another one the record that is beside."""
    _with_records(tmp_path / "x.npz", named=named, directory=1 << 30)
    assert "contradict each other" in refusal(tmp_path / "x.npz", kind=NPZ)


def test_a_member_that_is_said_to_be_beyond_every_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=array(50, 4))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    entry, end = content.find(b"PK\x01\x02"), content.rfind(b"PK\x05\x06")
    name = struct.unpack_from("<H", content, entry + 28)[0]
    extra = struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    struct.pack_into("<L", content, end + 12, end - entry + len(extra))
    struct.pack_into("<H", content, entry + 30, len(extra))
    struct.pack_into("<L", content, entry + 42, 0xFFFFFFFF)
    content[entry + 46 + name : entry + 46 + name] = extra
    (tmp_path / "x.npz").write_bytes(content)
    assert "cut short or damaged" in refusal(tmp_path / "x.npz", kind=NPZ)


def test_a_member_that_lies_about_its_size(tmp_path: Path) -> None:
    """The directory says 200 bytes, the stream holds a megabyte of zeros."""
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((65_536, 4), np.float32))
    content = (tmp_path / "x.npz").read_bytes()
    size = struct.pack("<L", 65_536 * 16 + 128)
    assert content.count(size) >= 1
    (tmp_path / "x.npz").write_bytes(content.replace(size, struct.pack("<L", 200)))
    assert "cut short or damaged" in refusal(tmp_path / "x.npz", kind=NPZ)


def test_several_arrays_need_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=array(2, 4), b=array(2, 4))
    assert "it has a, b" in refusal(tmp_path / "x.npz", kind=NPZ)


def test_names_of_members_are_never_paths(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        archive.writestr("../../evil.npy", _npy_bytes(array(2, 4)))
    before = sorted(tmp_path.rglob("*"))
    assert prepared(folder / "x.npz", kind=NPZ).samples == 2
    assert sorted(tmp_path.rglob("*")) == sorted([*before, folder / "out", folder / "out" / "x.npy"])


def test_unusual_archives(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", _npy_bytes(array(2, 4)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", _npy_bytes(array(3, 4)))
    assert "two members" in refusal(path, kind=NPZ)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", _npy_bytes(array(2, 4)))
    assert "unusual way" in refusal(path, kind=NPZ)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", path.read_bytes())
    assert "not a .npy file" in refusal(path, kind=NPZ)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    assert "not a .npy file" in refusal(path, kind=NPZ)
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    assert "has several arrays" in refusal(path, kind=NPZ)


def test_encrypted_members(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", _npy_bytes(array(2, 4)))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(bytes(content))
    assert "encrypted" in refusal(path, kind=NPZ)


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((5, 4), np.float32))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[content.index(b"\x00\x00\x80\x3f") + 3] ^= 1
    (tmp_path / "x.npz").write_bytes(bytes(content))
    assert "CRC" in refusal(tmp_path / "x.npz", kind=NPZ)


def test_a_huge_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for index in range(limits.NPZ_MEMBERS + 1):
            archive.writestr(f"{index}.npy", b"")
    assert "1,001 members" in refusal(tmp_path / "x.npz", kind=NPZ)
    monkeypatch.setattr(limits, "NPZ_DIRECTORY_BYTES", 10_000)
    start = time.process_time()
    assert "list of members" in refusal(tmp_path / "x.npz", kind=NPZ)
    assert time.process_time() - start < 5


def test_a_zip64_directory_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)  # forces the records of large archives
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in "abc":
            archive.writestr(f"{name}.npy", _npy_bytes(array(2, 4)))
    assert b"PK\x06\x06" in (tmp_path / "x.npz").read_bytes()
    assert member_names(DataFile(path=tmp_path / "x.npz")) == ("a", "b", "c")
    monkeypatch.setattr(limits, "NPZ_DIRECTORY_BYTES", 100)
    with pytest.raises(DataError, match="damaged"):
        member_names(DataFile(path=tmp_path / "x.npz"))
