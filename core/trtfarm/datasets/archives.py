"""Zip archives of arrays (`.npz`): which arrays are in one, with limits on what is read to know it."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile, damaged
from trtfarm.errors import DataError

_SUFFIX = ".npy"
_ENCRYPTED = 0x1
# The end of a zip file: a record of 22 bytes and a comment of up to 65535, and in large files two records before it.
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT = 0xFFFF


def member_names(file: DataFile) -> tuple[str, ...]:
    """The names of the archive's arrays; raises DataError."""
    with file.open() as raw, open_archive(file, raw) as archive:
        return tuple(members_of(file, archive))


def open_archive(file: DataFile, raw: BinaryIO) -> ZipFile:
    """The archive in an open file; raises DataError."""
    try:
        # ZipFile reads the whole directory at once, which a hostile file can make as large as itself.
        if _directory_bytes(raw) > limits.NPZ_DIRECTORY_BYTES:
            raise damaged(str(file), f"its list of members has more than {limits.NPZ_DIRECTORY_BYTES:,} bytes")
        return ZipFile(raw)
    except (BadZipFile, OSError, struct.error, NotImplementedError, ValueError) as error:
        raise damaged(str(file), f"it is not a whole zip file: {error}") from error


def _directory_bytes(raw: BinaryIO) -> int:
    """The size of the list of members, as ZipFile will find it."""
    size = raw.seek(0, os.SEEK_END)
    start = max(0, size - _LONGEST_COMMENT - _END.size - _END64_LOCATOR.size - _END64.size)
    raw.seek(start)
    tail = raw.read(size - start)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise BadZipFile("it has no end record")
    locator = end - _END64_LOCATOR.size
    if locator < 0 or not tail.startswith(b"PK\x06\x07", locator):
        return int(_END.unpack_from(tail, end)[5])
    record = locator - _END64.size
    # Python takes the record before the locator, or the one that it names, depending on the release: they must be one.
    if record < 0 or _END64_LOCATOR.unpack_from(tail, locator)[2] != start + record:
        raise BadZipFile("its end records contradict each other")
    return int(_END64.unpack_from(tail, record)[8])


def members_of(file: DataFile, archive: ZipFile) -> dict[str, ZipInfo]:
    """The archive's arrays by name; raises DataError."""
    infos = archive.infolist()
    if len(infos) > limits.NPZ_MEMBERS:
        raise DataError(f"{file} has {len(infos):,} members", cause=f"{limits.NPZ_MEMBERS:,} are allowed")
    members: dict[str, ZipInfo] = {}
    for info in infos:
        name = info.filename.removesuffix(_SUFFIX)
        if name in members:
            raise damaged(str(file), f"it has two members {info.filename!r}")
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{file} is encrypted", remedy="write it again with numpy.savez")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise DataError(f"{file} is packed in an unusual way", remedy="write it again with numpy.savez_compressed")
        members[name] = info
    return members
