"""Forgetting engines, and with them the bytes that nothing else names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete

from trtfarm.blobs.garbage import remove_garbage
from trtfarm.blobs.store import Blob, BlobStore, StoredBlob
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import EngineRow, VerificationRow
from trtfarm.database.session import Database
from trtfarm.errors import UsageError


def remove_engines(database: Database, blobs: BlobStore, names: Sequence[str]) -> list[str]:
    """Removes the engines whose ids or digests start so, all or none; returns their ids.

    Raises NotFoundError, and UsageError for a pinned engine.
    """
    with database.write() as session:
        engines = {engine.id: engine for engine in (find_one(session, EngineRow, name) for name in names)}
        pinned = [engine.id for engine in engines.values() if engine.pinned]
        if pinned:
            raise UsageError("pinned engines stay: " + ", ".join(pinned), remedy="leave them out")
        session.execute(delete(VerificationRow).where(VerificationRow.engine_id.in_(engines)))
        session.execute(delete(EngineRow).where(EngineRow.id.in_(engines)))
    digests = {digest for engine in engines.values() for digest in (engine.blob, engine.log_blob) if digest}
    stored = [
        StoredBlob(blob=Blob(digest=digest, size=size), written=datetime.now(UTC))
        for digest in sorted(digests)
        if (size := blobs.size(digest)) is not None
    ]
    remove_garbage(database, blobs, stored)
    return list(engines)
