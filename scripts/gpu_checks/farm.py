"""A farm on this host: the real program, with the kit's TensorRT as its toolchain and a home of the checks' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scripts.gpu_checks.check import CheckFailedError
from scripts.gpu_checks.host import Host
from trtfarm_worker.toolchains.registry import ToolchainRegistry

#: No command of these checks takes nearly as long; one that does is stuck.
_STUCK_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command that stays; what it says on stderr can be waited for."""

    process: subprocess.Popen[str]

    def until(self, words: str) -> str:
        """The line that has these words."""
        said = ""
        for line in self.process.stderr or ():
            said += line
            if words in line:
                return line
        raise CheckFailedError(f"it ended before it said {words!r}: {said}")

    def ended(self) -> int:
        """Its exit code, when it has ended by itself."""
        self.process.communicate(timeout=_STUCK_SECONDS)
        return self.process.returncode


@dataclass(frozen=True, kw_only=True)
class HostFarm:
    """`trtfarm` as a process of its own; `folder` is for files that commands write."""

    home: Path
    folder: Path
    say: Callable[[str], None]

    def run(self, *arguments: str | Path, **environment: str) -> Ended:
        begun = time.monotonic()
        try:
            ran = subprocess.run(
                [sys.executable, "-m", "trtfarm_cli", *map(str, arguments)],
                env={**os.environ, "TRTFARM_HOME": str(self.home), **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_STUCK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as stuck:
            said = (stuck.stderr or b"").decode(errors="replace")  # bytes, though text was asked for
            raise CheckFailedError(f"{_shown(arguments)} did not end in {_STUCK_SECONDS} s; it said: {said}") from None
        finally:
            self.say(f"{_shown(arguments)}: {time.monotonic() - begun:.1f} s")
        return Ended(code=ran.returncode, out=ran.stdout, err=ran.stderr)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Running]:
        """A command that stays; killed when the block ends, if it is still there."""
        with subprocess.Popen(
            [sys.executable, "-m", "trtfarm_cli", *arguments],
            env={**os.environ, "TRTFARM_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Running(process=process)
            finally:
                if process.poll() is None:
                    process.kill()

    def json(self, *arguments: str | Path, **environment: str) -> Any:
        """The JSON document that a command gives, which has to succeed."""
        ended = self.run(*arguments, "--json", **environment)
        if ended.code:
            raise CheckFailedError(f"{_shown(arguments)} ended with {ended.code}: {ended.err}")
        return json.loads(ended.out)

    def refused(self, code: int, *arguments: str | Path) -> str:
        """What a command says that has to end with this exit code, and without a traceback."""
        ended = self.run(*arguments, "--json")
        if ended.code != code or "Traceback" in ended.err:
            raise CheckFailedError(f"{_shown(arguments)} ended with {ended.code}: {ended.err}")
        error = json.loads(ended.err.splitlines()[-1])
        return f"{error['code']}: {error['message']} ({error['cause']}); {error['remedy']}"


def _shown(arguments: Sequence[str | Path]) -> str:
    """A command as one reads it: files by their names."""
    return " ".join(["trtfarm", *(word.name if isinstance(word, Path) else word for word in arguments)])


def farm_of(host: Host) -> HostFarm:
    """The host's farm, the same for all checks."""
    farm = HostFarm(home=host.scratch / "farm", folder=host.scratch / "farm-files", say=host.say)
    if not farm.folder.exists():
        farm.folder.mkdir()
        ToolchainRegistry(farm.home).put(replace(host.toolchain, environment=None))
    return farm


def lenet_test_files(host: Host) -> tuple[Path, Path]:
    """Held-out digits and their labels, as files."""
    inputs, labels = host.lenet_test()
    return Path(inputs["data"]["path"]), Path(labels["path"])


def lenet_engine(host: Host, precision: str) -> dict[str, Any]:
    """LeNet's engine of a precision, submitted without data to verify with; found again by every check but the first.

    Its calibration table is TensorRT's own where it is quantised.
    """
    data = ("--data", host.golden / "lenet" / "calib.npy") if "int8" in precision else ()
    target = str(host.toolchain.capabilities.compute_capabilities[0])
    wanted = ("--precision", precision, "--target", target, "--tensorrt", host.toolchain.version)
    facts = farm_of(host).json("submit", host.model("lenet"), *wanted, *data, "--shape", "1:32:64")
    engine: dict[str, Any] = facts["engines"][0]
    return engine


def top1(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    return float((scores.reshape(len(labels), -1).argmax(axis=1) == labels).mean())
