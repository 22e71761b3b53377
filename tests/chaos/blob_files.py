"""Blobs as files: read, and damaged, past the farm's own code."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trtfarm.digests import digest_of_file
from trtfarm.settings import Settings


class BlobFiles:
    """The folder that a farm keeps its blobs in."""

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(unquote(urlsplit(settings.blob_url).path))

    def intact(self, digest: str) -> bool:
        """Whether the blob is there, bit for bit."""
        with suppress(FileNotFoundError):
            return digest_of_file(self.path(digest)) == digest
        return False

    def damaged(self, digest: str) -> bool:
        """Whether something else is there under its name."""
        return self.path(digest).exists() and not self.intact(digest)

    def damage(self, digest: str) -> bool:
        """Changes its first byte; False if it is not there."""
        path = self.path(digest)
        try:
            path.chmod(0o644)
            with path.open("r+b") as file:
                byte = file.read(1)[0]
                file.seek(0)
                file.write(bytes([byte ^ 1]))
        except FileNotFoundError:
            return False
        return True

    def path(self, digest: str) -> Path:
        """Where it is, if it is there."""
        digits = digest.removeprefix("sha256:")
        return self._folder / "sha256" / digits[:2] / digits[2:]
