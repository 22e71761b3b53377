"""Bringing a database to the schema of this release."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from trtfarm.database.failures import storage_error
from trtfarm.database.session import Database
from trtfarm.errors import SchemaError, StorageError

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest revision in `migrations/versions`, written out so that a database that is up to date can be told without
#: importing Alembic, which takes longer than most commands.
HEAD = "0013"
#: Any number, as long as every release uses this one: migrations of one PostgreSQL database wait for each other on it.
_POSTGRESQL_LOCK = 7_238_001


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One step of an upgrade; `summary` is what it does, in a line."""

    revision: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """The way from the revision of a database, None where it has no tables, to that of this release, oldest first."""

    found: str | None
    steps: tuple[Migration, ...]


def prepare(database: Database) -> None:
    """Makes or upgrades the tables if that is needed; several processes may do so at once.

    Raises SchemaError if a newer release made the database, StorageError if it cannot be reached.
    """
    try:
        with database.engine.connect() as connection:
            found = revision(connection)
        if found != HEAD:
            upgrade(database)
    except DBAPIError as error:
        raise storage_error(error) from error


def planned(database: Database) -> Upgrade:
    """What `upgrade` would do; nothing is changed. Raises as `prepare` does."""
    if database.is_sqlite and not Path(str(database.engine.url.database)).exists():
        return _way(None)  # connecting would make the file
    try:
        with database.engine.connect() as connection:
            return _way(revision(connection))
    except DBAPIError as error:
        raise storage_error(error) from error


def upgrade(database: Database) -> Upgrade:
    """Makes or upgrades the tables; returns what was done, which is nothing where another process was faster.

    Raises as `prepare` does. All of it is done or none.
    """
    from alembic import command  # noqa: PLC0415 - 100 ms that only a migration should pay

    planned(database)  # what is not to be touched is not even locked
    try:
        with _exclusive(database) as connection:
            way = _way(revision(connection))
            if way.steps:
                command.upgrade(config(connection), "head")
            return way
    except DBAPIError as error:
        raise storage_error(error) from error


def revision(connection: Connection) -> str | None:
    """The revision the database is at, or None if it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings for our migrations; `connection` is what they run on."""
    from alembic.config import Config  # noqa: PLC0415 - as in `upgrade`

    settings = Config()
    # Alembic interpolates its settings, so a per cent sign in the path has to be doubled.
    settings.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def scripts_folder() -> Path:
    """The folder of migrations: inside the package in a wheel, at the root of a checkout."""
    packaged = Path(__file__).with_name("migrations")
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def _way(found: str | None) -> Upgrade:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as in `upgrade`

    scripts = list(ScriptDirectory.from_config(config()).walk_revisions())  # newest first
    ours = [script.revision for script in scripts]
    if found is not None and found not in ours:
        raise SchemaError(
            f"the database is at schema {found}, which this release does not know",
            cause="a newer release of trtfarm made or upgraded it",
            remedy="upgrade trtfarm, or name another home folder or database; there is no way back but a copy",
        )
    missing = scripts if found is None else scripts[: ours.index(found)]
    steps = tuple(Migration(revision=one.revision, summary=one.doc) for one in reversed(missing))
    return Upgrade(found=found, steps=steps)


@contextmanager
def _exclusive(database: Database) -> Iterator[Connection]:
    """A transaction that no other migration runs beside, and that leaves nothing behind if it fails."""
    if database.is_sqlite:
        with _exclusive_sqlite(database) as connection:
            yield connection
    else:
        with database.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
            yield connection


@contextmanager
def _exclusive_sqlite(database: Database) -> Iterator[Connection]:
    # Two processes that switch a new file to WAL at once do not wait for each other, one fails; so they queue outside.
    with _locked(Path(f"{database.engine.url.database}.lock")), database.writer.connect() as connection:
        driver: Any = connection.connection.driver_connection
        # WAL lets readers go on while one writes; the file remembers it.
        driver.execute("PRAGMA journal_mode = WAL")
        # Batch mode replaces tables, which foreign keys forbid; they can only be switched outside of a transaction.
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise SchemaError(f"the migration would leave a row of {broken[0]} pointing nowhere")
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Waits for the lock on a file; the kernel lets go of it when its holder dies."""
    try:
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"{path} cannot be made", cause=str(error), remedy="check the permissions") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
