"""Services of a farm, up while a block lasts."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.acceptance.cli.program import Program, Running


@contextmanager
def service(host: Program, *arguments: str, up: str) -> Iterator[Running]:
    """A program that stays, from the line that says so until the block ends."""
    with host.started(*arguments) as running:
        running.until(up)
        try:
            yield running
        finally:
            if running.process.returncode is None:
                running.end(signal.SIGTERM)


def api(host: Program, port: int) -> AbstractContextManager[Running]:
    return service(host, "api", "--port", str(port), up="listening on")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
