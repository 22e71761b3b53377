"""The database's own clock, as SQL: leases of workers on several hosts must not depend on their clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from trtfarm.database.columns import UtcTime


class FromNow(FunctionElement[datetime]):
    """The time of the statement's execution plus so many seconds, perhaps negative."""

    type = UtcTime()
    inherit_cache = True
    name = "from_now"


def from_now(seconds: float) -> FromNow:
    return FromNow(literal(seconds, Float()))


def now() -> FromNow:
    return from_now(0.0)


@compiles(FromNow, "sqlite")
def _from_now_sqlite(element: FromNow, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite keeps times as text and compares them as text: six decimals, as SQLAlchemy writes them.
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('%.3f seconds', {seconds}))"


@compiles(FromNow, "postgresql")
def _from_now_postgresql(element: FromNow, compiler: SQLCompiler, **options: Any) -> str:
    # Not now(), which stands still in a transaction that waited for a lock.
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"
