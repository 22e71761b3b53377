"""What the database knows about blobs: that they were stored, and who is about to name them in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, delete, select, true
from sqlalchemy.orm import Session

from trtfarm.blobs.made import MadeFile, place
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.database.clock import from_now
from trtfarm.database.insert import conflict_insert, conflict_insert_in
from trtfarm.database.kept import Kept
from trtfarm.database.many import among, as_parameter, many
from trtfarm.database.session import Database
from trtfarm.database.storage import BlobRow, HolderRow
from trtfarm.ids import new_id

#: Longer than any job takes from its first blob to its commit; a holder that died lets go after it.
HOLD_SECONDS = 24 * 3600.0


def put_held(database: Database, blobs: BlobStore, path: Path, holder: str) -> Blob:
    """Stores a file and keeps clean-up away from it until `record` names it, for `holder` (a job's id, say).

    Without this, a blob that is stored already but that no row names any more could be removed between the two.
    """
    return _put_held(database, blobs, lambda: blobs.put_file(path), holder)


def put_bytes_held(database: Database, blobs: BlobStore, data: bytes, holder: str) -> Blob:
    """The same for a few bytes."""
    return _put_held(database, blobs, lambda: blobs.put_bytes(data), holder)


def put_claimed_held(database: Database, blobs: BlobStore, path: Path, digest: str, holder: str) -> Blob:
    """The same for a file that is said to have a digest. Raises DataError if it has another."""
    return _put_held(database, blobs, lambda: blobs.put_claimed(path, digest), holder)


def take_held(database: Database, blobs: BlobStore, path: Path, blob: Blob, holder: str) -> Blob:
    """Makes a file that is known to hold a blob's bytes that blob; it is gone from where it was."""
    hold(database, holder, [blob.digest])
    blobs.take(path, blob)
    return blob


def _put_held(database: Database, blobs: BlobStore, put: Callable[[], Blob], holder: str) -> Blob:
    blob = put()
    hold(database, holder, [blob.digest])
    if not blobs.has(blob):  # clean-up was faster; from now on it waits
        put()
    return blob


def hold(database: Database, holder: str, digests: Sequence[str], seconds: float = HOLD_SECONDS) -> None:
    """Keeps clean-up away from blobs, stored or not, for so many seconds or until `record`."""
    _hold(database, {holder: digests}, seconds)


def _hold(database: Database, digests: Mapping[str, Sequence[str]], seconds: float) -> None:
    rows = [{"digest": digest, "holder": holder} for holder, held in digests.items() for digest in dict.fromkeys(held)]
    if not rows:
        return
    with database.write() as session:
        insert = conflict_insert(session, HolderRow).values(expires=from_now(seconds))
        renew = {"expires": insert.excluded.expires}
        session.execute(insert.on_conflict_do_update(index_elements=["digest", "holder"], set_=renew), rows)


@contextmanager
def holding(database: Database, digests: Sequence[str]) -> Iterator[str]:
    """Keeps clean-up away from blobs, stored or not, while the block lasts; yields the holder, for `record`."""
    holder = new_id("hld")
    hold(database, holder, digests)
    try:
        yield holder
    finally:
        with database.write() as session:
            session.execute(delete(HolderRow).where(HolderRow.holder == holder))


def record(session: Session, blobs: Iterable[Blob], *, holder: str | None = None) -> None:
    """Notes blobs that are safely stored, in the transaction whose rows name them, and lets go of `holder`'s."""
    # In one order everywhere: on PostgreSQL the second writer of a row waits for the first one's commit.
    sizes = {blob.digest: blob.size for blob in blobs}
    if sizes:
        _RECORD(session, blobs=as_parameter({"digest": digest, "size": sizes[digest]} for digest in sorted(sizes)))
    if holder is not None:
        session.execute(delete(HolderRow).where(HolderRow.holder == holder))


def place_made(session: Session, blobs: BlobStore, files: Sequence[MadeFile]) -> None:
    """Makes files blobs, or finds that they are, and keeps clean-up away from these until the transaction ends.

    Its rows name them. On SQLite clean-up waits for every writer anyway. Raises as `place`.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("LOCK TABLE blob_holders IN ROW EXCLUSIVE MODE")
    place(blobs, files)


def record_made(session: Session, files: Mapping[str, Sequence[MadeFile]]) -> None:
    """Notes what `place_made` placed, by the holders that made it, and lets go of what else they hold."""
    record(session, [one.blob for found in files.values() for one in found])
    _LET_GO(session, holders=list(files))


def _record(dialect: str) -> list[Any]:
    given = many(dialect, "blobs", (_BLOBS.c.digest, _BLOBS.c.size))
    # Without a condition SQLite would take what follows for one of a join.
    insert = conflict_insert_in(dialect, BlobRow).from_select(["digest", "size"], select(*given.c).where(true()))
    return [insert.on_conflict_do_nothing(index_elements=["digest"])]


def _let_go(dialect: str) -> list[Any]:
    return [delete(_HOLDERS).where(among(dialect, _HOLDERS.c.holder, "holders"))]


_BLOBS, _HOLDERS = cast(Table, BlobRow.__table__), cast(Table, HolderRow.__table__)
_RECORD, _LET_GO = Kept(_record), Kept(_let_go)
