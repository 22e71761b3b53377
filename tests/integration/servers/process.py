"""A server that a test starts as a plain process of its own, on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from tests.acceptance.worker.programs import Program


def needed(program: str, package: str) -> str:
    """Path of a server's program. Without it the test is skipped, but fails in CI."""
    found = shutil.which(program) or (program if os.access(program, os.X_OK) else None)
    if found is None:
        told = f"no {program}: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that can be started, stopped, and started again; what it says tells when it is ready."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, ready: str) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._ready = ready
        self._program: Program | None = None

    def start(self) -> None:
        """Returns when it answers."""
        process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._program = Program(process)
        self._program.line(lambda line: self._ready in line)

    def stop(self) -> None:
        """Kills it and what it started, as a power cut would."""
        assert self._program is not None
        process = self._program.process
        os.killpg(process.pid, signal.SIGKILL)
        self._program.ended()
        assert process.stdout is not None
        process.stdout.close()
