"""Forgetting engines, and with them the bytes that nothing else names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from trtfarm.blobs.garbage import remove_garbage
from trtfarm.blobs.store import Blob, BlobStore, StoredBlob
from trtfarm.catalog.labels import labels_of
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.staying import hold_engines
from trtfarm.database.batches import batches
from trtfarm.database.schema import EngineLabelRow, EngineRow, VerificationRow
from trtfarm.database.session import Database
from trtfarm.errors import UsageError


def remove_engines(database: Database, blobs: BlobStore, names: Sequence[str]) -> list[str]:
    """Removes the engines whose ids or digests start so, all or none; returns their ids.

    Raises NotFoundError, and UsageError for an engine that is pinned or has a label.
    """
    with database.write() as session:
        ids = list(dict.fromkeys(find_one(session, EngineRow, name).id for name in names))
        hold_engines(session, ids)
        labels = labels_of(session, ids)
        pinned = set(session.scalars(select(EngineRow.id).where(EngineRow.id.in_(ids), EngineRow.pinned)))
        kept = [engine for engine in ids if engine in pinned or labels.get(engine)]
        if kept:
            raise UsageError(
                "pinned and labelled engines stay: " + ", ".join(kept),
                remedy="leave them out, or first: trtfarm engines unpin, or engines unlabel",
            )
        files = forget_engines(session, ids)
    remove_files(database, blobs, files)
    return ids


def forget_engines(session: Session, ids: Sequence[str]) -> set[str]:
    """Deletes the rows of engines, and what was measured of them; returns the blobs that they named."""
    files: set[str] = set()
    for some in batches(ids):
        for row in session.execute(select(EngineRow.blob, EngineRow.log_blob).where(EngineRow.id.in_(some))):
            files.update(digest for digest in row if digest)
        session.execute(delete(VerificationRow).where(VerificationRow.engine_id.in_(some)))
        session.execute(delete(EngineLabelRow).where(EngineLabelRow.engine_id.in_(some)))
        session.execute(delete(EngineRow).where(EngineRow.id.in_(some)))
    return files


def remove_files(database: Database, blobs: BlobStore, digests: Collection[str]) -> None:
    """Removes those of the blobs that no row names any more, and that nobody holds."""
    stored = [
        StoredBlob(blob=Blob(digest=digest, size=size), written=datetime.now(UTC))
        for digest in sorted(digests)
        if (size := blobs.size(digest)) is not None
    ]
    remove_garbage(database, blobs, stored)
