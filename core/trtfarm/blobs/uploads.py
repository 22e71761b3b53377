"""Uploads: bytes that come in pieces, over connections that break, until a digest says that all of them are there.

A row says what was announced, and by whom; the bytes that have come lie in a file of this host (`upload_files.py`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from trtfarm.blobs.records import hold, put_claimed_held, take_held
from trtfarm.blobs.running_digests import RunningDigests
from trtfarm.blobs.store import Blob, BlobStore, other_bytes
from trtfarm.blobs.upload_files import Piece, UploadFiles
from trtfarm.database.access import UploadRow
from trtfarm.database.clock import from_now, now
from trtfarm.database.session import Database
from trtfarm.digests import is_digest
from trtfarm.errors import BusyError, ConflictError, DataError, NotFoundError, TooLargeError, UsageError
from trtfarm.ids import new_id

#: A model's weights may have so much; so may an array of a data set.
LARGEST_BYTES = 64 << 30
#: How long an upload waits for its next piece.
_KEPT_SECONDS = 24 * 3600.0
#: Unfinished uploads of one actor.
_OPEN_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload as it is now; sizes and offset are bytes, `offset` what has come of `size`."""

    id: str
    digest: str
    size: int
    offset: int
    expires: datetime


class Uploads:
    """The uploads of a farm; `actor` is who makes one, and nobody else sees it."""

    def __init__(self, database: Database, blobs: BlobStore, folder: Path, *, largest: int = LARGEST_BYTES) -> None:
        self._database = database
        self._blobs = blobs
        self._files = UploadFiles(folder)
        self._largest = largest
        self._digests = RunningDigests()

    def missing(self, actor: str, digests: list[str]) -> list[str]:
        """Those that are not stored; clean-up leaves the others alone for a day, so that the actor can name them."""
        unfit = next((digest for digest in digests if not is_digest(digest)), None)
        if unfit is not None:
            raise UsageError(f"{unfit[:80]!r} is not a digest", remedy="write it as sha256: and 64 hex digits")
        wanted = list(dict.fromkeys(digests))
        hold(self._database, holder_of(actor), sorted(wanted))
        return [digest for digest in wanted if self._blobs.size(digest) is None]

    def begin(self, actor: str, digest: str, size: int) -> Upload:
        """A new upload. Raises UsageError, TooLargeError, DiskFullError, BusyError for too many unfinished ones."""
        if not is_digest(digest) or size < 0:
            raise UsageError("an upload needs a digest and a size", remedy="write sha256: and 64 hex digits, and bytes")
        if size > self._largest:
            raise TooLargeError(f"{size:,} bytes are too many", remedy=f"upload {self._largest:,} at most")
        self._files.check_room(size)
        row = UploadRow(id=new_id("upl"), digest=digest, size=size, actor=actor, expires=from_now(_KEPT_SECONDS))
        with self._database.write() as session:
            mine = select(func.count()).select_from(UploadRow).where(UploadRow.actor == actor)
            if (session.scalar(mine) or 0) >= _OPEN_AT_ONCE:
                raise BusyError(
                    f"{_OPEN_AT_ONCE} uploads are unfinished", remedy="finish or remove some; they end after a day"
                )
            session.add(row)
            session.flush()
            session.refresh(row)
        self._files.begin(row.id)
        return self._upload(row)

    def of(self, actor: str, digest: str | None = None) -> list[Upload]:
        """The actor's unfinished uploads, perhaps only those of a digest, oldest first.

        Without those that cannot go on here: they are another host's, or whoever began them died right then.
        """
        wanted = select(UploadRow).where(UploadRow.actor == actor, UploadRow.expires > now()).order_by(UploadRow.id)
        if digest is not None:
            wanted = wanted.where(UploadRow.digest == digest)
        with self._database.read() as session:
            rows = session.scalars(wanted).all()
        found: list[Upload] = []
        for row in rows:
            with suppress(NotFoundError):
                found.append(self._upload(row))
        return found

    def get(self, actor: str, upload_id: str) -> Upload:
        """Raises NotFoundError."""
        with self._database.read() as session:
            return self._upload(self._row(session, actor, upload_id))

    def open_piece(self, actor: str, upload_id: str, *, first: int, stop: int, size: int | None = None) -> Piece:
        """A place to write the bytes from `first` up to `stop` to; nobody else writes there until it is closed.

        Raises ConflictError where another byte is next, or where somebody else is writing; UsageError beyond the end,
        and where `size`, what the sender takes the whole for, is not what was announced.
        """
        with self._database.write() as session:
            row = self._row(session, actor, upload_id)
            later = update(UploadRow).where(UploadRow.id == row.id).values(expires=from_now(_KEPT_SECONDS))
            session.execute(later)
        if size not in (None, row.size):
            raise UsageError(f"the upload has {row.size} bytes, and not {size}", remedy="is it another file's?")
        if not first < stop <= row.size:
            raise UsageError(f"bytes {first} to {stop} do not fit in {row.size}", remedy="begin with the offset")
        descriptor = self._files.open(row.id)
        there = os.fstat(descriptor).st_size
        if there != first:
            os.close(descriptor)
            raise ConflictError(f"{there} bytes are here, and not {first}", remedy=f"go on at {there}")
        digest = self._digests.at(row.id, first)
        return Piece(descriptor, self._files.path(row.id), first=first, stop=stop, digest=digest)

    def finish(self, actor: str, upload_id: str) -> Blob:
        """Stores the bytes; clean-up leaves them alone for a day, so that the actor can name them.

        Raises ConflictError while some are missing, DataError for other bytes than were announced, and then all is
        to be sent again.
        """
        with self._database.read() as session:
            row = self._row(session, actor, upload_id)
        with self._files.alone(row.id) as there:
            if there != row.size:
                raise ConflictError(f"{there} of {row.size} bytes are here", remedy=f"go on at {there}")
            try:
                blob = self._store(row, holder_of(actor))
            except DataError:
                self._forget(row.id)
                raise
            self._forget(row.id)
            return blob

    def cancel(self, actor: str, upload_id: str) -> None:
        """Raises NotFoundError, ConflictError while something is being written."""
        with self._database.read() as session:
            row = self._row(session, actor, upload_id)
        with self._files.alone(row.id):
            self._forget(row.id)

    def sweep(self) -> int:
        """Forgets uploads that were abandoned; returns how many. Also removes files that nobody knows any more."""
        # Files first: the row of one that is here was there before it, so that one without a row has lost it.
        here = self._files.all()
        with self._database.write() as session:
            ended = session.execute(delete(UploadRow).where(UploadRow.expires <= now()).returning(UploadRow.id)).all()
        with self._database.read() as session:
            known = set(session.scalars(select(UploadRow.id)))
        for upload_id in here:
            if upload_id not in known:
                self._files.remove(upload_id)
        return len(ended)

    def _row(self, session: Session, actor: str, upload_id: str) -> UploadRow:
        mine = UploadRow.id == upload_id, UploadRow.actor == actor, UploadRow.expires > now()
        row = session.scalars(select(UploadRow).where(*mine)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no upload {upload_id}", remedy="begin another one: finished ones are gone")
        return row

    def _upload(self, row: UploadRow) -> Upload:
        """Raises NotFoundError for an upload of another host."""
        return Upload(
            id=row.id, digest=row.digest, size=row.size, offset=self._files.offset(row.id), expires=row.expires
        )

    def _store(self, row: UploadRow, holder: str) -> Blob:
        """Raises DataError for other bytes than were announced."""
        path, digest = self._files.path(row.id), self._digests.at(row.id, row.size) if row.size else None
        if digest is None:
            return put_claimed_held(self._database, self._blobs, path, row.digest, holder)
        if str(digest) != row.digest:
            raise other_bytes(row.digest)
        return take_held(self._database, self._blobs, path, Blob(digest=row.digest, size=row.size), holder)

    def _forget(self, upload_id: str) -> None:
        self._digests.forget(upload_id)
        self._files.remove(upload_id)
        with self._database.write() as session:
            session.execute(delete(UploadRow).where(UploadRow.id == upload_id))


def holder_of(actor: str) -> str:
    """Who holds the blobs that an actor has uploaded or asked for, and has yet to name."""
    return f"upload-{actor}"
