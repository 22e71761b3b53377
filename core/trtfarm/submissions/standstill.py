"""Those who make submissions or move them on, and those who must know that meanwhile nobody does.

SQLite's writers wait for each other anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from trtfarm.database.kept import Kept
from trtfarm.database.session import Database

_KEEP_CLEANING_OUT = Kept(
    lambda dialect: [] if dialect == "sqlite" else [text("LOCK TABLE submissions IN ROW EXCLUSIVE MODE")]
)


def moving(session: Session) -> None:
    """Waits for a standstill, and lets none begin before the transaction ends.

    For who looks for results before there is a submission: the lock is that of the insert to come. Whoever locks a
    submission's row does the same by that.
    """
    _KEEP_CLEANING_OUT(session)


@contextmanager
def standing_still(database: Database) -> Iterator[Session]:
    """A transaction in which no submission is made or moves on."""
    with database.write() as session:
        if not database.is_sqlite:
            session.execute(text("LOCK TABLE submissions IN EXCLUSIVE MODE"))
        yield session
