"""Inserts that give way to a row that is already there, so that two writers of the same thing do not fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Table, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from trtfarm.database.base import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Row = TypeVar("Row", bound=Base)


def conflict_insert(session: Session, row_type: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the session's dialect."""
    return conflict_insert_in(session.get_bind().dialect.name, row_type)


def conflict_insert_in(dialect: str, row_type: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """The same in a dialect, for a statement that is kept."""
    # The table, not the mapped class: nothing of the session's own is needed, which takes longer than the database.
    table = cast(Table, row_type.__table__)
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a client on SQLite need not wait for it

    return postgresql.insert(table)


def insert_or_get(session: Session, row_type: type[Row], *, unique: str, **values: Any) -> tuple[Row, bool]:
    """The row whose column `unique` has this value, and whether it was inserted now.

    The first writer wins: the values of a row that is there already stay as they are.
    """
    column = getattr(row_type, unique)
    statement = conflict_insert(session, row_type).values(**values)
    added = session.execute(statement.on_conflict_do_nothing(index_elements=[unique]).returning(column)).first()
    row = session.scalars(select(row_type).where(column == values[unique])).one()
    return row, added is not None
