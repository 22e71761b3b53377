"""Which of several columns leads a search."""

from __future__ import annotations

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

Column = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]


def of_row(column: Column) -> ColumnElement[str]:
    """A column's value as no index knows it, where something else is to lead."""
    return column.concat("")
