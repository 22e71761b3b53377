"""The events of jobs: what happened, in the order in which it became visible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Insert, Table, insert, select
from sqlalchemy.orm import Session

from trtfarm.database.kept import Kept
from trtfarm.database.many import as_parameter, json_text, many
from trtfarm.database.session import Database
from trtfarm.database.work import EventRow, JobRow
from trtfarm.errors import NotFoundError
from trtfarm.jobs.job import Event

#: Kind of the events that the manager writes; workers add their own (log, progress, …).
STATE_CHANGED = "state"
#: Kind and data of an event that is not written yet.
Line = tuple[str, dict[str, Any]]
#: The table, not the mapped class: a session's own way of inserting takes longer than the database does.
EVENTS = cast(Table, EventRow.__table__)


def append(session: Session, job_id: str, attempt: int, lines: Sequence[Line]) -> None:
    """Adds (kind, data) lines within the caller's transaction.

    The job's row is locked first: of two writers the second gets its ids after the first one has committed, so a reader
    that asks for what came after the last id it saw misses nothing.
    """
    locked = session.scalar(select(JobRow.id).where(JobRow.id == job_id).with_for_update())
    if locked is None:
        raise NotFoundError(f"there is no job {job_id}")
    add(session, job_id, attempt, lines)


def add(session: Session, job_id: str, attempt: int, lines: Sequence[Line]) -> None:
    """The same for a job whose row the caller has locked."""
    add_all(session, [(job_id, attempt, lines)])


def add_all(session: Session, lines_of: Iterable[tuple[str, int, Sequence[Line]]]) -> None:
    """The same for several, each with its id and attempt."""
    if lines := told(lines_of):
        _ADD(session, lines=as_parameter(lines))


def told(lines_of: Iterable[tuple[str, int, Sequence[Line]]]) -> list[dict[str, Any]]:
    """Lines as `addition` takes them, with `as_parameter`."""
    return [
        {"job_id": job_id, "attempt": attempt, "kind": kind, "data": json_text(data)}
        for job_id, attempt, lines in lines_of
        for kind, data in lines
    ]


def addition(dialect: str) -> Insert:
    """The statement of `add_all`, for who has others run with it; its parameter is `lines`."""
    columns = [EVENTS.c[name] for name in ("job_id", "attempt", "kind", "data")]
    lines = many(dialect, "lines", columns)
    return insert(EVENTS).from_select([one.name for one in columns], select(lines))


def record(database: Database, job_id: str, attempt: int, lines: Sequence[Line]) -> None:
    """Adds (kind, data) lines in a transaction of their own; each call syncs the disk, so gather lines first."""
    with database.write() as session:
        append(session, job_id, attempt, lines)


def newest(database: Database, job_id: str, kind: str) -> Event | None:
    """The last event of a kind that a job had in any attempt."""
    of_kind = select(EventRow).where(EventRow.job_id == job_id, EventRow.kind == kind)
    with database.read() as session:
        row = session.scalars(of_kind.order_by(EventRow.id.desc()).limit(1)).one_or_none()
        return None if row is None else _event(row)


def events_since(database: Database, job_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
    """Up to `limit` events of a job with ids above `after`, oldest first."""
    wanted = select(EventRow).where(EventRow.job_id == job_id, EventRow.id > after).order_by(EventRow.id).limit(limit)
    with database.read() as session:
        return [_event(row) for row in session.scalars(wanted)]


def _event(row: EventRow) -> Event:
    return Event(id=row.id, job_id=row.job_id, attempt=row.attempt, at=row.at, kind=row.kind, data=row.data)


_ADD = Kept(lambda dialect: [addition(dialect)])
