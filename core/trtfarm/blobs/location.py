"""The blob store at a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import UsageError

_BUCKETS = frozenset({"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss"})


def store_at(location: str) -> BlobStore:
    """A store in a local folder (a path or file:///path) or in a bucket (s3://bucket/folder, gs://…, az://…).

    Nothing is made or reached before the first blob is asked for. Raises UsageError for any other location.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return BlobStore(Objects.in_folder(Path(location)))
    if scheme == "file":
        return BlobStore(Objects.in_folder(Path(unquote(urlsplit(location).path))))
    if scheme in _BUCKETS:
        return BlobStore(Objects.at(location))
    raise UsageError(
        f"{scheme}:// is no place for blobs",
        remedy="name a folder, or a bucket as s3://bucket/folder, gs://… or az://…",
    )
