"""The program `trtfarm` as a process, with a farm of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import psutil

from tests.acceptance.cli.forks import Forks
from tests.acceptance.cli.stuck import put_to_death
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore

#: What takes so long is stuck: the longest command takes 5 s alone, and 20 s on a machine that ten others keep busy.
_STUCK_SECONDS = 180.0
#: What every command has in its environment; one that gets stuck tells where when it is aborted.
_SETTINGS = {"TZ": "UTC", "PYTHONFAULTHANDLER": "1"}
#: Tables whose rows say what the farm keeps.
_KEPT = ("models", "datasets", "tables", "quantizations", "engines", "verifications", "submissions", "jobs", "blobs")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a finished command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error that `--json` puts on the last line of stderr."""
        found = json.loads(self.err.splitlines()[-1])
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command that has not ended yet."""

    process: subprocess.Popen[str]

    def until(self, line: str, *, on_stdout: bool = False) -> None:
        """Reads stderr, or stdout, up to a line with these words."""
        stream = self.process.stdout if on_stdout else self.process.stderr
        assert stream is not None
        read = ""
        for said in stream:
            read += said
            if line in said:
                return
        raise AssertionError(f"it ended before it said {line!r}, and said:\n{read}")

    def end(self, number: signal.Signals | None = None) -> Ended:
        """Waits for its end, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate()
        return _checked(Ended(code=self.process.returncode, out=out, err=err))


@dataclass(frozen=True, kw_only=True)
class Program:
    """`python -m trtfarm_cli` with `home` as its farm and `folder` as the current one."""

    home: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Seconds after which a command is taken for stuck.
    patience: float = _STUCK_SECONDS
    #: Spares commands that are run to their end the start of Python.
    forks: Forks | None = None

    def run(self, *arguments: str | Path, stdin: str | Path | None = None, **environment: str) -> Ended:
        if self.forks is None:
            with self.started(*arguments, stdin=stdin, **environment) as running:
                return running.end()
        with TemporaryFile() as out, TemporaryFile() as err, Path(stdin or os.devnull).open("rb") as source:
            asked = [str(argument) for argument in arguments], self.folder, self._surroundings(environment)
            process_id = self.forks.start(*asked, (source, out, err))
            with self._watched(process_id):
                code = self.forks.wait()
            return _checked(Ended(code=code, out=_written(out), err=_written(err)))

    def ok(self, *arguments: str | Path, **environment: str) -> Ended:
        """Runs a command that has to succeed."""
        ended = self.run(*arguments, **environment)
        assert ended.code == 0, ended.err
        return ended

    def json(self, *arguments: str | Path, **environment: str) -> Any:
        """The JSON document that a command gives."""
        return self.ok(*arguments, "--json", **environment).json

    def fails(self, code: int, *arguments: str | Path, **environment: str) -> dict[str, Any]:
        """The error of a command that has to end with this exit code, and to say nothing on stdout."""
        ended = self.run(*arguments, "--json", **environment)
        assert ended.code == code, ended.err
        assert ended.out == ""
        error = ended.error
        assert error["exit_code"] == code
        assert error["message"]
        return error

    @contextmanager
    def started(self, *arguments: str | Path, stdin: str | Path | None = None, **environment: str) -> Iterator[Running]:
        """A command while it runs, with a file on standard input; killed when the block ends before it does."""
        with Path(stdin or os.devnull).open() as source:
            process = subprocess.Popen(
                [sys.executable, "-m", "trtfarm_cli", *map(str, arguments)],
                cwd=self.folder,
                env=self._surroundings(environment),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        with self._watched(process.pid), process:
            yield Running(process=process)

    @contextmanager
    def _watched(self, process_id: int) -> Iterator[None]:
        watch = threading.Timer(self.patience, lambda: sys.stderr.write(put_to_death(process_id)))
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _surroundings(self, environment: Mapping[str, str]) -> dict[str, str]:
        return surroundings() | {"TRTFARM_HOME": str(self.home), **self.environment, **environment}

    def copied(self, folder: Path) -> Program:
        """The same with a copy of its farm in the new folder `folder`."""
        home = folder / "home"
        shutil.copytree(self.home, home)
        return replace(self, home=home, folder=folder)

    def rows(self) -> dict[str, int]:
        """How many rows the farm keeps, of the kinds of which there are any."""
        counts = {name: self._values(f"SELECT count(*) FROM {name}")[0] for name in _KEPT}  # noqa: S608
        return {name: count for name, count in counts.items() if count}

    def states(self) -> set[str]:
        """The states in which jobs are."""
        return set(self._values("SELECT state FROM jobs"))

    def damaged(self) -> list[str]:
        """Digests of what the farm says it holds, and that is not there whole."""
        store = BlobStore(Objects.in_folder(self.home / "blobs"))
        return [digest for digest in self._values("SELECT digest FROM blobs") if not store.verify(digest)]

    def _values(self, query: str) -> list[Any]:
        """The first column of what the database answers."""
        with closing(sqlite3.connect(f"file:{self.home / 'farm.db'}?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute(query)]

    def blobs(self) -> list[Path]:
        """Files in the blob store, finished or not."""
        return [path for path in (self.home / "blobs").rglob("*") if path.is_file()]

    def scratch(self) -> list[Path]:
        return list((self.home / "scratch").glob("*"))

    def processes(self) -> list[psutil.Process]:
        """Living processes whose command or environment names this farm: commands, and the builders they started."""
        return [process for process in psutil.process_iter() if _belongs(process, str(self.home))]


def surroundings() -> dict[str, str]:
    """The environment that every command has."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | _SETTINGS


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _checked(ended: Ended) -> Ended:
    """Whatever goes wrong, nobody is to see Python's inside."""
    assert "Traceback" not in ended.err, ended.err
    assert "Warning" not in ended.err, ended.err
    return ended


def _belongs(process: psutil.Process, home: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(home in text for text in (*process.cmdline(), *process.environ().values()))
    except psutil.Error:
        return False
