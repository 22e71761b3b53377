"""Members of `.npz` archives, read as streams: nothing is unpacked to disk, so no member's name becomes a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zipfile import BadZipFile

from trtfarm.datasets.archives import members_of, open_archive
from trtfarm.datasets.files import DataFile, Reader, check_ratio, damaged
from trtfarm.datasets.npy import stream_of
from trtfarm.datasets.streams import ArrayStream
from trtfarm.errors import DataError


@contextmanager
def open_npz(file: DataFile, member: str | None = None) -> Iterator[ArrayStream]:
    """One array of an archive, or its only one; raises DataError."""
    with file.open() as raw, open_archive(file, raw) as archive:
        members = members_of(file, archive)
        if member is None and len(members) == 1:
            member = next(iter(members))
        if member not in members:
            raise DataError(
                f"{file} has no array {member!r}" if member else f"{file} has several arrays",
                cause="it has " + ", ".join(sorted(members)[:20]),
                remedy="name one of them (member = … in data.toml)",
            )
        info = members[member]
        name = f"{member} in {file}"
        check_ratio(name, packed=info.compress_size, unpacked=info.file_size)
        try:
            unpacked = archive.open(info)
        # Offsets beyond any file overflow, and names need not be what their flag says.
        except (BadZipFile, NotImplementedError, OSError, OverflowError, ValueError) as error:
            raise damaged(name, str(error)) from error
        with unpacked:
            yield stream_of(Reader(name, unpacked))
