"""A small disk of a campaign's own, which can be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path


class SmallDisk:
    """A tmpfs on a folder; `mounted` is False where that takes rights that this process lacks."""

    def __init__(self, folder: Path, size: int) -> None:
        """`size` is in bytes."""
        self.folder = folder
        self._filler = folder / "filler"
        self._until: float | None = None
        folder.mkdir()
        mount = shutil.which("mount")
        command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.mounted = bool(mount) and subprocess.run(command, check=False, capture_output=True).returncode == 0

    def fill(self, seconds: float) -> bool:
        """Takes all that is left, until `look` is called that much later."""
        if not self.mounted or self._until is not None:
            return False
        self._until = time.monotonic() + seconds
        with self._filler.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.folder).free)
        return True

    def look(self) -> None:
        """Frees it again if it is time for that."""
        if self._until is not None and time.monotonic() >= self._until:
            self._until = None
            self._filler.unlink()

    def unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)  # noqa: S607
