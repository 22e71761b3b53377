"""Kills `trtfarm submit` over and over, each time followed at once by the same command, and times that one.

`python -m tests.stress.kills --rounds 300` takes minutes, so it is no test. Every round has a farm of its own:

* `line`: killed when a line of its progress appears; every line has its turn.
* `time`: killed at a random moment.
* `ctrl-c`: interrupted at a random moment, and looked at: nothing may run, be claimed or lie about before the next one.
* `rival`: two submit the same at once, one is killed at a random moment, the other one has to do it all.

A command that takes longer than usual by `--patience` seconds is asked where it stands, and ends the run. For how much
of the time processes of this host waited for a processor or a disk is told beside it: on a busy machine a slow command
may be just that, which is no hang.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.acceptance.cli.conftest import MNIST, share
from tests.acceptance.cli.program import Ended, Program, Running
from tests.acceptance.conftest import cached_toolchain
from tests.acceptance.worker.words import say
from trtfarm.database.migrate import prepare
from trtfarm.database.session import open_database, sqlite_url

_DONE = {"models": 1, "datasets": 2, "tables": 1, "quantizations": 1, "engines": 1, "verifications": 1, "jobs": 4}
#: Done before it was interrupted, interrupted, and interrupted before it knew what to do about it.
_INTERRUPTED = {0, 130, -signal.SIGINT}
#: Before that it is Python that is interrupted, which has words of its own for it.
_STARTED_SECONDS = 0.5
#: How long a killed builder may take to be gone.
_GONE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was done to the first command, and how long the surviving one took after that, in seconds."""

    kind: str
    moment: str
    seconds: float
    #: How much of them the host was short of something, by what.
    short: dict[str, float]

    def __str__(self) -> str:
        short = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in self.short.items())
        return f"{self.kind}: {self.seconds:.2f} s (short of {short}), killed {self.moment}"


class Clock:
    """Time since it was made, and how much of it processes had to wait for what this host is short of."""

    def __init__(self) -> None:
        self._begun, self._short = time.monotonic(), _shortages()

    def round(self, kind: str, moment: str) -> Round:
        short = {what: total - self._short[what] for what, total in _shortages().items()}
        return Round(kind=kind, moment=moment, seconds=time.monotonic() - self._begun, short=short)


class Stress:
    """A farm to copy for each round, and what is usual on it: the lines of a submission and its seconds."""

    def __init__(self, stock: Program, model: Path) -> None:
        self.stock = stock
        self.command = ("submit", model, "--target", "sm_89", "--json")
        with self._farm() as program:
            begun = time.monotonic()
            self.lines = program.ok(*self.command).err.splitlines()
            self.usual = time.monotonic() - begun

    def killed_at_line(self, chance: random.Random, number: int, patience: float) -> Round:
        line = self.lines[number % len(self.lines)]
        return self._killed("line", line, lambda running: running.until(line[:60]), patience)

    def killed_at_a_time(self, chance: random.Random, number: int, patience: float) -> Round:
        delay = chance.uniform(0, self.usual)
        return self._killed("time", f"after {delay:.2f} s", lambda _: time.sleep(delay), patience)

    def interrupted(self, chance: random.Random, number: int, patience: float) -> Round:
        delay = chance.uniform(min(_STARTED_SECONDS, self.usual), self.usual)
        with self._farm() as program:
            with program.started(*self.command) as running:
                time.sleep(delay)
                ended = running.end(signal.SIGINT)
            claimed = program.states() & {"running"}
            left = {"processes": program.processes(), "scratch": program.scratch(), "claimed": claimed}
            if ended.code not in _INTERRUPTED or any(left.values()):
                sys.exit(f"exit code {ended.code}, left behind: {left}\n{ended.err}")
            clock = Clock()
            ended = replace(program, patience=self.usual + patience).run(*self.command)
            done = clock.round("ctrl-c", f"after {delay:.2f} s")
            self._check(program, ended)
        return done

    def killed_beside_a_rival(self, chance: random.Random, number: int, patience: float) -> Round:
        apart, delay = chance.uniform(-0.5, 0.5), chance.uniform(0, self.usual)
        with self._farm() as program, ExitStack() as stack:
            slow = replace(program, patience=delay + 2 * self.usual + patience)
            first = stack.enter_context(slow.started(*self.command))
            time.sleep(abs(apart))
            second = stack.enter_context(slow.started(*self.command))
            victim, heir = (first, second) if apart > 0 else (second, first)
            time.sleep(delay)
            victim.process.kill()
            clock = Clock()
            ended = heir.end()
            done = clock.round("rival", f"{delay:.2f} s after both began, {apart:+.2f} s apart")
            victim.process.communicate()
            self._check(program, ended)
        return done

    def _killed(self, kind: str, moment: str, wait: Callable[[Running], None], patience: float) -> Round:
        with self._farm() as program:
            with program.started(*self.command) as running:
                wait(running)
                running.process.send_signal(signal.SIGKILL)
                # Not waited for: the next command may start while the kernel still takes this one apart.
                clock = Clock()
                ended = replace(program, patience=self.usual + patience).run(*self.command)
                done = clock.round(kind, moment)
                running.process.communicate()
            self._check(program, ended)
        return done

    def _check(self, program: Program, ended: Ended) -> None:
        if ended.code != 0:
            sys.exit(f"exit code {ended.code}\n{ended.err}")
        rows = program.rows()
        deadline = time.monotonic() + _GONE_SECONDS
        while program.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        found = {
            "rows": {name: rows[name] for name in _DONE},
            "states": program.states(),
            "visible scratch": [path for path in program.scratch() if not path.name.startswith(".")],
            "damaged": program.damaged(),
            "processes": program.processes(),
        }
        wanted = {"rows": _DONE, "states": {"done"}, "visible scratch": [], "damaged": [], "processes": []}
        if found != wanted:
            sys.exit(f"left behind: {found}\n{ended.err}")

    @contextmanager
    def _farm(self) -> Iterator[Program]:
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            yield self.stock.copied(Path(folder))


def _shortages() -> dict[str, float]:
    """Seconds in which some process of this host has waited for a processor, and for a disk, so far."""
    totals = {}
    for what in ("cpu", "io"):
        some = Path(f"/proc/pressure/{what}").read_text().splitlines()[0]
        totals[what] = int(some.rpartition("total=")[2]) / 1e6
    return totals


def _stock(folder: Path) -> Program:
    home = folder / "home"
    home.mkdir()
    database = open_database(sqlite_url(home / "farm.db"))
    prepare(database)
    database.close()
    # A run takes long: one on a copy of the sources is not disturbed by whoever changes them meanwhile.
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    program = Program(home=home, folder=folder, environment=kept)
    share(program, cached_toolchain("tensorrt-rtx==1.7.1.116"))
    return program


def _digits(folder: Path) -> Path:
    (folder / "test").mkdir(parents=True)
    np.save(folder / "data.npy", np.load(MNIST / "data.npy")[:100])
    for name in ("data.npy", "labels.npy"):
        np.save(folder / "test" / name, np.load(MNIST / "test" / name)[:50])
    return Path(shutil.copy(MNIST / "lenet.onnx", folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=20.0)
    options = parser.parse_args()
    chance, rounds = random.Random(options.seed), list[Round]()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        stress = Stress(_stock(folder), _digits(folder / "digits"))
        say(f"a submission takes {stress.usual:.1f} s and says {len(stress.lines)} lines")
        kinds = [stress.killed_at_line, stress.killed_at_a_time, stress.interrupted, stress.killed_beside_a_rival]
        for number in range(options.rounds):
            done = kinds[number % len(kinds)](chance, number // len(kinds), options.patience)
            rounds.append(done)
            say(f"{number} {done}")
    for kind in sorted({done.kind for done in rounds}):
        seconds = [done.seconds for done in rounds if done.kind == kind]
        say(f"{kind}: {len(seconds)} rounds, median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
