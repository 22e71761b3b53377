"""The brokers that a campaign can have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import redis
from kombu.exceptions import OperationalError

from tests.chaos.material import LIGHT_TENSORRT, TENSORRT
from tests.chaos.orders import LABELS
from tests.chaos.processes import Kept
from tests.integration.servers.process import free_port
from tests.integration.servers.rabbitmq_server import PROGRAM, RabbitMqNode
from trtfarm import routing

_WORDS = (routing.CPU, *(f"tensorrt-rtx-{version}" for version in (TENSORRT, LIGHT_TENSORRT)))
_QUEUES = tuple(routing.queues_of(_WORDS, LABELS))


class Broker(Protocol):
    """A server of messages; it is started by whoever keeps it."""

    url: str
    kept: Kept

    def empty(self) -> bool:
        """Loses every message; False if it does not answer now."""

    def end(self) -> None:
        """Kills it, and what it may have left."""


class RedisBroker:
    """A Redis that keeps nothing on the disk, so that killing it loses every message."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        options = {"port": port, "bind": "127.0.0.1", "save": ""}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.kept = Kept("redis", ["redis-server", *words], folder)

    def empty(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                client.flushall()
        except redis.RedisError:
            return False
        return True

    def end(self) -> None:
        self.kept.kill()


class RabbitMqBroker:
    """A RabbitMQ; killing it loses what it had not written yet."""

    def __init__(self, folder: Path) -> None:
        home = folder / "rabbitmq"
        home.mkdir()
        self._node = RabbitMqNode(home)
        self.url = self._node.url
        self.kept = Kept("rabbitmq", [PROGRAM], folder, self._node.environment, whole=True)

    def empty(self) -> bool:
        try:
            self._node.empty(_QUEUES)
        except (OperationalError, OSError):
            return False
        return True

    def end(self) -> None:
        self.kept.kill()
        self._node.end_directory()


BROKERS: Mapping[str, Callable[[Path], Broker]] = {"redis": RedisBroker, "rabbitmq": RabbitMqBroker}
_PROGRAMS = {"redis": "redis-server", "rabbitmq": PROGRAM}


def installed(name: str) -> bool:
    """Whether this machine has the server."""
    program = _PROGRAMS[name]
    return shutil.which(program) is not None or os.access(program, os.X_OK)
