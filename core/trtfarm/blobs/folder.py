"""What a local folder needs beside obstore, whose LocalStore renames a finished file into place without fsync.

After a power cut a name could then stand for zeros. Here an object is written under another name, the file is synced,
renamed, and the folder synced; only then does a row name the blob.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from trtfarm.durable_files import make_durable_folder, sync

#: Where objects are written first: a folder beside them, on the same volume, or a rename would copy.
STAGING = "tmp"
#: Nobody changes a blob by accident through its path.
READ_ONLY = 0o444
#: Where a file cannot get a second name: the file system has none, the folder is of another volume, or it has too many.
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK})


class Folder:
    """Durability for the objects of obstore's LocalStore below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / STAGING
        self._has_links = True

    def make(self) -> None:
        make_durable_folder(self._root)

    @cached_property
    def _device(self) -> int:
        self.make()
        return self._root.stat().st_dev

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

    def links(self, device: int) -> bool:
        """Whether files of a device lie on the objects' volume, and so may be some of them by a second name."""
        return self._has_links and device == self._device

    def link(self, path: Path, key: str) -> bool:
        """Makes a file that is on the disk an object, too; False where a file has one name only. `keep` makes it last.

        What stands under the key is replaced in one step: it has lost its tail, or another writer was faster.
        """
        target = self._root / key
        make_durable_folder(target.parent)
        try:
            try:
                os.link(path, target, follow_symlinks=False)
            except FileExistsError:
                make_durable_folder(self._staging)
                second = self._staging / uuid4().hex
                os.link(path, second, follow_symlinks=False)
                second.replace(target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._has_links = False  # and so not tried with the next
            return False
        return True

    def settle(self, staged: str, key: str) -> None:
        """Brings the bytes of a written object to the disk, and makes the folder where its key will stand."""
        sync(self._root / staged, mode=READ_ONLY)
        make_durable_folder((self._root / key).parent)

    def keep(self, keys: Collection[str]) -> None:
        """Brings new keys to the disk."""
        for folder in {(self._root / key).parent for key in keys}:
            sync(folder)

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
