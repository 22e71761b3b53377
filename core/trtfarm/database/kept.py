"""Statements of the hottest paths: put together and compiled once, and handed to the driver as they are.

To run a statement that it has compiled before takes SQLAlchemy 0.1 ms of a processor, mostly for what these do without:
the session's own ways, events, results that may be read in many ways. A driver alone takes half of that.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Float
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from trtfarm.database.storable import storable

_Processor = Callable[[Any], Any]
#: Under this word a connection to the database keeps its cursor: to make one takes as long as to run a small statement.
_CURSOR = "trtfarm_cursor"


class Kept:
    """Statements that are always run one after another; on PostgreSQL they are one, and go in one message.

    `make` puts them together for a dialect, by its name; each value that is told later is a named parameter in them.
    None may need to see what another one wrote: on PostgreSQL all of them see what was there before the first. They go
    past the session, which neither writes beforehand what it still holds back nor gets to know the rows.
    """

    def __init__(self, make: Callable[[str], Sequence[Any]]) -> None:
        self._make = make
        self._compiled: dict[str, list[_Compiled]] = {}

    def __call__(self, session: Session, **values: Any) -> list[Any]:
        """The rows of the last one, as named tuples. Raises what SQLAlchemy raises."""
        connection = session.get_bind()
        if not isinstance(connection, Connection):
            connection = session.connection()
        statements = self._compiled.get(connection.dialect.name)
        if statements is None:
            statements = self._compiled[connection.dialect.name] = self._compile(connection.dialect)
        rows: list[Any] = []
        for statement in statements:
            rows = statement.run(connection, values)
        return rows

    def _compile(self, dialect: Dialect) -> list[_Compiled]:
        statements = list(self._make(dialect.name))
        if len(statements) > 1 and dialect.name != "sqlite":  # has no statements that write within another one
            *before, last = statements
            ctes = [one.cte(f"before_{number}") for number, one in enumerate(before)]
            statements = [last.add_cte(*ctes)]
        return [_Compiled(statement, dialect) for statement in statements]


def run(connection: Connection, text: str, parameters: Any = None, *, rows: bool = False) -> Sequence[Any]:
    """Hands a text to the driver; returns its rows, where it gives any. Raises what SQLAlchemy raises."""
    dialect, proxy = connection.dialect, connection.connection
    cursor = proxy.info.get(_CURSOR)
    if cursor is None:
        cursor = proxy.info[_CURSOR] = proxy.cursor()
    try:
        cursor.execute(text, parameters)
        return cursor.fetchall() if rows else ()
    except dialect.loaded_dbapi.Error as error:
        gone = dialect.is_disconnect(error, proxy.dbapi_connection, cursor)
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            text, None, error, dialect.loaded_dbapi.Error, connection_invalidated=gone, dialect=dialect
        ) from error


class _Compiled:
    """A statement in a dialect's words, and how its values and columns are written there."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup
        self._constants: dict[str, Any] = {}
        self._told: list[tuple[str, _Processor | None]] = []
        for bind, name in compiled.bind_names.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                self._told.append((name, process))
            else:
                value = bind.effective_value if process is None else process(bind.effective_value)
                self._constants[name] = str(value) if isinstance(value, str) else value  # a state is an enum
        columns = list(getattr(statement, "exported_columns", ()))
        self._row: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]
        readers = ((place, _reading(column.type, dialect)) for place, column in enumerate(columns))
        self._readers = [(place, read) for place, read in readers if read is not None]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        found = run(connection, self._text, self._parameters(values), rows=bool(self._row._fields))
        return list(map(self._row._make, map(self._ours, found) if self._readers else found))

    def _ours(self, row: Sequence[Any]) -> Sequence[Any]:
        """The values of a driver's row as ours."""
        values = list(row)
        for place, read in self._readers:
            values[place] = read(values[place])
        return values

    def _parameters(self, values: Mapping[str, Any]) -> Mapping[str, Any] | Sequence[Any]:
        given = dict(self._constants)
        for name, process in self._told:
            value = values[name] if process is None else process(values[name])
            given[name] = value if value is None else storable(value)
        return given if self._order is None else [given[name] for name in self._order]


def _reading(kind: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    """What turns a driver's value into ours; of a number SQLAlchemy would first ask the driver what it is."""
    return None if isinstance(kind, Float) else kind.dialect_impl(dialect).result_processor(dialect, None)
