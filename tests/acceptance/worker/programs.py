"""Processes of a farm, started and talked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO

import psutil

from tests.conftest import REPOSITORY
from trtfarm.submission_request import SubmissionRequest

#: Long enough for the slowest machine; nothing waits for it where all goes well.
PATIENCE = 60.0


class Program:
    """A running Python program whose lines can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._unread: Queue[str | None] = Queue()
        assert process.stdout is not None
        self._reader = Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def line(self, wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted."""
        with suppress(Empty):
            while (line := self._unread.get(timeout=PATIENCE)) is not None:
                self.lines.append(line)
                if wanted(line):
                    return line
        raise AssertionError(f"no such line among {self.lines}")

    def starts(self, words: str) -> str:
        return self.line(lambda line: line.startswith(words))

    def ended(self) -> int:
        """The exit code, when all has been said."""
        self._reader.join(PATIENCE)
        code = self.process.wait(PATIENCE)
        while (line := self._unread.get_nowait()) is not None:
            self.lines.append(line)
        return code

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._unread.put(line.rstrip())
        self._unread.put(None)


@contextmanager
def program(arguments: list[str], home: Path, **variables: str) -> Iterator[Program]:
    """Python with these arguments, at work in a home; on the way out it is killed, and its programs, if still there."""
    environment = {**os.environ, "TRTFARM_HOME": str(home), **variables}
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Program(process)
        finally:
            if process.poll() is None:
                for started in (*psutil.Process(process.pid).children(recursive=True), process):
                    started.kill()


@contextmanager
def client(request: SubmissionRequest, home: Path, **variables: str) -> Iterator[Program]:
    """A client that submits a request and sees it through."""
    with program(["-m", "tests.acceptance.worker.client"], home, **variables) as started:
        assert started.process.stdin is not None
        started.process.stdin.write(json.dumps(request.as_dict()))
        started.process.stdin.close()
        yield started
