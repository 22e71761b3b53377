"""The blob store at a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import UsageError

_REMEDY = "name a folder as file:///folder, or a bucket as s3://bucket/folder, gs://… or az://…"
_BUCKETS = frozenset({"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss"})


def store_at(location: str) -> BlobStore:
    """A store in a local folder (a path or file:///path) or in a bucket (s3://bucket/folder, gs://…, az://…).

    Nothing is made or reached before the first blob is asked for. Raises UsageError for any other location.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return _in_folder(location, location)
    if scheme == "file":
        url = urlsplit(location)
        # file://srv/blobs has the host srv, and would be the folder /blobs.
        return _in_folder(unquote(url.path) if url.netloc in {"", "localhost"} else "", location)
    if scheme in _BUCKETS:
        return BlobStore(Objects.at(location))
    raise UsageError(f"{scheme}:// is no place for blobs", remedy=_REMEDY)


def _in_folder(path: str, location: str) -> BlobStore:
    if not path.startswith("/"):  # each process would look for it in its own current folder
        raise UsageError(f"{location} is no folder's whole path", remedy=_REMEDY)
    return BlobStore(Objects.in_folder(Path(path)))
