"""Commands without the start of Python: a process that has imported the program forks for each of them.

Each is a process all the same, with streams, environment, folder and exit code of its own. How the program starts is
what it does not show; `Program.started` does.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from trtfarm_cli.__main__ import run

#: What most commands import once they run.
_IMPORTED = (
    "numpy",
    "rich.console",
    "trtfarm_cli.farms.here.farm",
    "trtfarm_cli.farms.remote.farm",
    "trtfarm_cli.main",
    "trtfarm_cli.summary",
    "trtfarm_worker.inline",
    "trtfarm_worker.orders",
    "trtfarm_worker.steps.registry",
    "typer._adapters",
)
_LONGEST_MESSAGE = 100_000


class Forks:
    """The process that forks, and the way to ask it; for one command at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-P", __file__, str(number)]
            self._process = subprocess.Popen(command, env=environment, pass_fds=[number])

    def start(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Sequence[IO[bytes]]
    ) -> int:
        """The process id of a command with these three standard streams."""
        asked = json.dumps({"arguments": arguments, "folder": str(folder), "environment": environment})
        socket.send_fds(self._channel, [asked.encode()], [stream.fileno() for stream in streams])
        return self._answer()

    def wait(self) -> int:
        """The exit code of the command that was started; negative for the signal that ended it."""
        return self._answer()

    def close(self) -> None:
        self._channel.close()
        self._process.wait()

    def _answer(self) -> int:
        return int(self._channel.recv(_LONGEST_MESSAGE))


def _fork(channel: socket.socket) -> bool:
    """Forks for each request, and tells process id and exit code; returns true in a process that is to be a command."""
    while True:
        asked, streams, _, _ = socket.recv_fds(channel, _LONGEST_MESSAGE, 3)
        if not asked:
            return False
        child = os.fork()
        if child == 0:
            channel.close()
            _become(json.loads(asked), streams)
            return True
        for stream in streams:
            os.close(stream)
        channel.send(str(child).encode())
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["trtfarm", *asked["arguments"]]


def _end(code: int) -> NoReturn:
    """What Python does at its end, but for taking itself apart.

    That touches all of its memory, which a fork then has to copy: as much work as a small command is.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in _IMPORTED:
        importlib.import_module(name)
    if _fork(socket.socket(fileno=int(sys.argv[1]))):
        try:
            run()
        except SystemExit as end:
            _end(int(end.code or 0))
