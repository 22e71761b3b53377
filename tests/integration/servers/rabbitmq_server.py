"""A RabbitMQ of the tests' own: its own node, ports, folders, and an epmd (Erlang's directory of nodes) of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from kombu.connection import Connection

from tests.acceptance.worker.programs import PATIENCE
from tests.contracts.brokers import QUEUES
from tests.integration.servers.process import Server, free_port, needed

#: Past Debian's wrapper, which writes to /var/lib/rabbitmq and becomes another user.
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMqNode:
    """Where a node of its own lives and what it is started with; what it stores outlives its process."""

    def __init__(self, folder: Path) -> None:
        port, distribution, self._directory = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self.environment = {
            "HOME": str(folder),  # for the cookie
            "RABBITMQ_NODENAME": f"trtfarm-{os.getpid()}-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(self._directory),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }

    def empty(self, queues: Iterable[str]) -> None:
        """Loses every message in these queues."""
        with Connection(self.url) as connection:  # type: ignore[no-untyped-call]
            for queue in queues:
                channel = connection.default_channel
                channel.queue_declare(
                    queue, durable=True, auto_delete=False
                )  # nothing to purge before the first message
                channel.queue_purge(queue)

    def end_directory(self) -> None:
        """Ends the epmd that the node left running: that is no child of anybody."""
        environment = {**os.environ, "ERL_EPMD_PORT": str(self._directory)}
        command = [needed("epmd", "erlang-base"), "-kill"]
        until = time.monotonic() + PATIENCE
        while (ended := subprocess.run(command, env=environment, check=False, capture_output=True)).returncode:
            if time.monotonic() > until:  # it stays while it knows of a node
                raise AssertionError(f"epmd did not end: {ended.stdout.decode()}{ended.stderr.decode()}")
            time.sleep(0.1)


class RabbitMqServer:
    def __init__(self, folder: Path) -> None:
        program = needed(PROGRAM, "rabbitmq-server")
        self._node = RabbitMqNode(folder)
        self.url = self._node.url
        self._server = Server([program], self._node.environment, ready="Server startup complete")
        self.start, self.stop = self._server.start, self._server.stop

    def close(self) -> None:
        self.stop()
        self._node.end_directory()

    def empty(self) -> None:
        """Purges the queues that the tests' jobs go to."""
        self._node.empty(QUEUES)
