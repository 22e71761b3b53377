"""A Redis of the tests' own, which keeps nothing on the disk."""

from __future__ import annotations

from pathlib import Path

import redis

from tests.integration.servers.process import Server, free_port, needed


class RedisServer:
    def __init__(self, folder: Path) -> None:
        port, password = free_port(), "let-me-in"
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        options = {
            "port": port,
            "bind": "127.0.0.1",
            "requirepass": password,
            "dir": folder,
            "save": "",
            "daemonize": "no",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._server = Server(
            [needed("redis-server", "redis-server"), *arguments], {}, ready="Ready to accept connections"
        )
        self.start, self.stop = self._server.start, self._server.stop

    def close(self) -> None:
        self.stop()

    def empty(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
