"""Rows that something else names by their ids."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import Session

from trtfarm.errors import NotFoundError

Row = TypeVar("Row")


def row(session: Session, kind: type[Row], row_id: str | None) -> Row:
    """The row with this id; one that a submission names and that is gone is a NotFoundError."""
    found = session.get(kind, row_id) if row_id else None
    if found is None:
        raise NotFoundError(f"{kind.__name__.removesuffix('Row').lower()} {row_id} is gone", remedy="submit again")
    return found
