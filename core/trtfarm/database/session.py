"""Opening a database and working in it: one transaction per `read` or `write` block."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from trtfarm.database.failures import storage_error
from trtfarm.database.kept import run
from trtfarm.database.patience import LIMITS, Patience
from trtfarm.database.storable import storable
from trtfarm.errors import StorageError, UsageError

#: Seconds that a SQLite writer waits for the one before it; every write here takes milliseconds.
BUSY_SECONDS = 30
#: A connection to PostgreSQL that was not used for so long is asked first whether it still is one.
_IDLE_SECONDS = 1.0
_USED = "used"
#: Under this word sessions have what any of them has read of rows that never change: `session.info`.
UNCHANGING = "unchanging"
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_BEGIN = "trtfarm_begin"
_STEADY = "trtfarm_steady"
#: Begins a transaction of `steady_read` or `steady_write`, in as many round trips as any other takes. Before PostgreSQL
#: 18 what may not be done counts as cost, by which any statement would be worth compiling: that takes 0.4 s, for each.
_BEGIN_STEADY = "; ".join(
    [
        "BEGIN",
        "SET LOCAL enable_sort = off",
        "SET LOCAL enable_seqscan = off",
        "SET LOCAL plan_cache_mode = force_generic_plan",
        "SET LOCAL jit = off",
    ]
)


class Database:
    """A database that was opened; threads may share it.

    A block of `read` or `write` is one transaction, of one connection of a pool, which is taken, and begins, with the
    first statement. Its session does what any of SQLAlchemy's does; `kept` statements go past it. Nothing is tried
    again here: a transaction that fails has written nothing, and its block raises StorageError, or IntegrityError where
    a constraint is broken. Rows that a session has read stay as they were read, and may be used after the block.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # On PostgreSQL every statement sees the newest state anyway: a transaction around a read costs two round trips.
        self._reader = engine if self.is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        self.writer = engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        # The driver's own BEGIN would be one more round trip, and it sends none in AUTOCOMMIT.
        steady = engine.execution_options(isolation_level="AUTOCOMMIT", **{_STEADY: True})
        self._steady_reader, self._steady_writer = (engine, self.writer) if self.is_sqlite else (steady, steady)
        self._info: dict[str, Any] = {UNCHANGING: {}}
        self._patience = None if self.is_sqlite else Patience(engine)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def read(self) -> AbstractContextManager[Session]:
        """A session that only reads, and sees one state of the database on SQLite."""
        return _transaction(self._reader, self._info)

    def write(self) -> AbstractContextManager[Session]:
        """A session that writes; it commits when the block ends and rolls back when the block raises.

        On SQLite it takes the write lock at once: a transaction that read first and wrote later would fail with
        "database is locked" whenever another one wrote in between, however long it is ready to wait.
        """
        return _transaction(self.writer, self._info)

    def steady_read(self) -> AbstractContextManager[Session]:
        """A session that only reads, for the few statements that all workers make again and again.

        PostgreSQL plans each of them once, and neither sorts nor reads a whole table where it need not: what is asked
        for in the order of an index is read from that index, whatever PostgreSQL believes of the table. It looks at
        what changed once a minute at most, in which twenty thousand jobs can come. It would take them for none, and
        read all of them again and again.
        """
        return _transaction(self._steady_reader, self._info)

    def steady_write(self) -> AbstractContextManager[Session]:
        """The same for those that write; it commits when the block ends and rolls back when the block raises."""
        return _transaction(self._steady_writer, self._info)

    def give_up_in(self, seconds: float) -> None:
        """For a process that is to end: whoever waits for a PostgreSQL server then, or later, gets StorageError.

        Nobody waits for a SQLite database longer than BUSY_SECONDS.
        """
        if self._patience is not None:
            self._patience.end_in(seconds)

    def close(self) -> None:
        self.engine.dispose()


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def open_database(url: str) -> Database:
    """The database at a URL: `sqlite:////folder/farm.db` or `postgresql://user:password@host/name`.

    Connects on first use. Raises UsageError for a URL that is neither, StorageError if SQLite's folder cannot be made.
    """
    parsed = _parsed(url)
    engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql_engine(parsed)
    event.listen(engine, "before_cursor_execute", _write_utf8, retval=True)
    return Database(engine)


def _parsed(url: str) -> URL:
    remedy = "write it as sqlite:////folder/farm.db or postgresql://user:password@host/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so it is not repeated.
        raise UsageError("the database URL cannot be read", remedy=remedy) from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise UsageError(f"{parsed.drivername!r} databases are not supported", remedy=remedy)
    if driver == "sqlite" and not parsed.database:
        raise UsageError("a SQLite database needs a file: other processes have to see it", remedy=remedy)
    return parsed.set(drivername=driver)


def _sqlite_engine(url: URL) -> Engine:
    folder = Path(str(url.database)).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the database's folder {folder} cannot be made",
            cause=error.strerror,
            remedy="check its permissions, or set TRTFARM_HOME (or TRTFARM_DATABASE_URL) to a folder of yours",
        ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql_engine(url: URL) -> Engine:
    try:
        # The URL's own limits stand.
        limits = {name: limit for name, limit in LIMITS.items() if name not in url.query}
        engine = create_engine(url, connect_args=limits)
    except ModuleNotFoundError as error:
        raise UsageError(
            "the driver for PostgreSQL is not installed", remedy="pip install 'trtfarm[postgresql]'"
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_idle, engine.dialect))
    return engine


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _ping_idle(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Replaces a connection whose server has gone meanwhile; one that was used a moment ago is not asked."""
    if time.monotonic() - record.info.get(_USED, math.inf) < _IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError("the server has closed the connection") from error


def _write_utf8(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
    return statement, storable(parameters)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transactions would begin late and commit before DDL; `_begin_sqlite` begins them instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL syncs on every commit: what was accepted survives a power cut. (`migrate` switches to WAL, once.)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_STEADY):
        run(connection, _BEGIN_STEADY)


class _Session(Session):
    """A session that has a connection of its own, and there a transaction.

    SQLAlchemy begins one of the session besides, with the first statement that goes through it, and keeps books on it,
    which takes as long as two small statements. Those that go past the session (`kept`) do without.
    """

    def __init__(self, engine: Engine, info: dict[str, Any]) -> None:
        super().__init__(expire_on_commit=False, info=info)
        self._engine = engine
        self._begun: Connection | None = None

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        if self._begun is None:
            self._begun = self._engine.connect()
        if not self._begun.in_transaction():
            self._begun.begin()
        return self._begun

    def end(self) -> None:
        """Commits what was written."""
        if self.in_transaction():
            self.commit()  # which writes what it has held back; the connection's transaction is ours
        if self._begun is not None and self._begun.in_transaction():
            self._begun.commit()

    def rollback(self) -> None:
        super().rollback()
        if self._begun is not None and self._begun.in_transaction():
            self._begun.rollback()

    def close(self) -> None:
        """Undoes what was not committed."""
        super().close()
        if self._begun is not None:
            self._begun.close()
            self._begun = None


@contextmanager
def _transaction(engine: Engine, info: dict[str, Any]) -> Iterator[Session]:
    session = _Session(engine, info)
    try:
        yield session
        session.end()
    except IntegrityError:
        raise  # a broken constraint is a mistake in the caller, not a failure of the storage
    except DBAPIError as error:
        raise storage_error(error) from error
    finally:
        session.close()
