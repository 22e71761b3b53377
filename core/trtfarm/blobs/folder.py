"""What a local folder needs beside obstore, whose LocalStore renames a finished file into place without fsync.

After a power cut a name could then stand for zeros. Here an object is written under another name, the file is synced,
renamed, and the folder synced; only then does a row name the blob.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from trtfarm.durable_files import make_durable_folder, sync

#: Where objects are written first: a folder beside them, on the same volume, or a rename would copy.
STAGING = "tmp"
#: Nobody changes a blob by accident through its path.
_READ_ONLY = 0o444


class Folder:
    """Durability for the objects of obstore's LocalStore below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / STAGING

    def make(self) -> None:
        make_durable_folder(self._root)

    def size(self, key: str) -> int | None:
        """Bytes of an object, or None if it is not there; LocalStore goes to another thread for this."""
        try:
            facts = os.stat(f"{self._root}/{key}")  # noqa: PTH116 - asked again and again; a Path takes thrice as long
        except (FileNotFoundError, NotADirectoryError):
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    @contextmanager
    def staged(self) -> Iterator[str]:
        """A new key for an object that is being written; if the block fails, nothing is left of it.

        A key with a number behind `#` is how LocalStore names what it has not finished. It will not remove such a file
        for us, and its own removal, in the background, may come after the process's end.
        """
        name = uuid4().hex
        try:
            yield f"{STAGING}/{name}"
        except BaseException:
            for path in (self._staging / name, *self._staging.glob(f"{name}#*")):
                path.unlink(missing_ok=True)
            raise

    def rename_here(self, path: Path, staged: str) -> bool:
        """Gives a file of somebody else's the name of a staged object; False where it lies on another volume."""
        make_durable_folder(self._staging)
        try:
            path.rename(self._root / staged)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def settle(self, staged: str, key: str) -> None:
        """Brings the bytes of a written object to the disk, and makes the folder where its key will stand."""
        sync(self._root / staged, mode=_READ_ONLY)
        make_durable_folder((self._root / key).parent)

    def keep(self, key: str) -> None:
        """Brings a new key to the disk."""
        sync((self._root / key).parent)

    def sweep(self, seconds: float) -> int:
        """Removes what has been there for that long; returns how many files. LocalStore does not list them all."""
        return sum(_removed_if_older(path, time.time() - seconds) for path in self._staging.glob("*"))


def _removed_if_older(path: Path, moment: float) -> bool:
    try:
        if path.stat().st_mtime >= moment:
            return False
        path.unlink()
    except FileNotFoundError:  # its writer has just finished
        return False
    return True
