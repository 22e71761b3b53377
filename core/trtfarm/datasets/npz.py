"""Members of `.npz` archives, read as streams: nothing is unpacked to disk, so no member's name becomes a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zipfile import BadZipFile

from trtfarm.datasets.archives import members_of, open_archive
from trtfarm.datasets.files import DataFile, Reader, check_ratio, damaged, member_of
from trtfarm.datasets.npy import stream_of
from trtfarm.datasets.streams import ArrayStream


@contextmanager
def open_npz(file: DataFile, member: str | None = None) -> Iterator[ArrayStream]:
    """One array of an archive, or its only one; raises DataError."""
    with file.open() as raw, open_archive(file, raw) as archive:
        members = members_of(file, archive)
        chosen = member_of(file, members, member)
        info = members[chosen]
        name = f"{chosen} in {file}"
        check_ratio(name, packed=info.compress_size, unpacked=info.file_size)
        try:
            unpacked = archive.open(info)
        # Offsets beyond any file overflow, and names need not be what their flag says.
        except (BadZipFile, NotImplementedError, OSError, OverflowError, ValueError) as error:
            raise damaged(name, str(error)) from error
        with unpacked:
            yield stream_of(Reader(name, unpacked))
