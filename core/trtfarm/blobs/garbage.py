"""Clean-up: blobs that no row names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from trtfarm.blobs.naming import named
from trtfarm.blobs.store import BlobStore, StoredBlob
from trtfarm.database.clock import now
from trtfarm.database.schema import BlobRow, HolderRow
from trtfarm.database.session import Database

#: Younger blobs may belong to a job that has not committed yet.
GRACE_SECONDS = 24 * 3600.0
#: Blobs removed while other writers of the database wait.
_AT_ONCE = 50


def find_garbage(
    database: Database, blobs: BlobStore, *, grace_seconds: float = GRACE_SECONDS, without: Collection[str] = ()
) -> list[StoredBlob]:
    """Blobs that no row names, that nobody holds, and that are older than the grace period; removes nothing.

    `without` are ids of rows that are taken for gone.
    """
    youngest = datetime.now(UTC) - timedelta(seconds=grace_seconds)
    old = [stored for stored in blobs.blobs() if stored.written < youngest]
    with database.read() as session:
        kept = _kept(session, frozenset(without))
    return [stored for stored in old if stored.blob.digest not in kept]


def remove_garbage(
    database: Database,
    blobs: BlobStore,
    garbage: Sequence[StoredBlob],
    *,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[StoredBlob]:
    """Removes what `find_garbage` found and is still garbage; returns what was removed.

    Looking again and removing happen while nobody can begin to hold a blob, so that a writer that finds a blob stored
    already can rely on it as soon as it holds it. `tell` hears how many of how many were looked at.
    """
    with database.write() as session:
        session.execute(delete(HolderRow).where(HolderRow.expires <= now()))
    removed: list[StoredBlob] = []
    for start in range(0, len(garbage), _AT_ONCE):
        batch = garbage[start : start + _AT_ONCE]
        with database.write() as session:
            if not database.is_sqlite:  # SQLite's writers wait for each other anyway
                session.execute(text("LOCK TABLE blob_holders IN SHARE ROW EXCLUSIVE MODE"))
            kept = _kept(session)
            gone = [stored for stored in batch if stored.blob.digest not in kept]
            session.execute(delete(BlobRow).where(BlobRow.digest.in_([stored.blob.digest for stored in gone])))
            for stored in gone:
                blobs.delete(stored.blob.digest)
        removed += gone
        tell(start + len(batch), len(garbage))
    return removed


def _kept(session: Session, without: Collection[str] = ()) -> set[str]:
    """Digests that a row, but for some, names or someone holds."""
    kept = set(session.scalars(select(HolderRow.digest).where(HolderRow.expires > now())))
    kept.update(naming.digest for naming in named(session) if naming.row_id not in without)
    return kept
