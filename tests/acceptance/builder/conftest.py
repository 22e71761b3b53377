"""Builders that misbehave: a program posing as a toolchain's interpreter, or a library posing as TensorRT."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

_POSER = """#!{python} -I
import json, os, signal, subprocess, sys, time
channel = int(sys.argv[-1])
def send(**event):
    os.write(channel, json.dumps(event).encode() + b"\\n")
def progress(done=0):
    send(event="progress", stage="stage", done=done, total=None, unit="steps")
def answer(**result):
    send(event="answer", result=result)
{body}
"""


@dataclass
class Bench:
    """Runs builders in a scratch folder and keeps what they told."""

    folder: Path
    told: list[Progress | LogLine] = field(default_factory=list)

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def poser(self, body: str) -> Toolchain:
        """A toolchain whose interpreter is the program `body`, with `send`, `progress` and `answer` at hand."""
        python = self.folder / "python"
        python.write_text(_POSER.format(python=sys.executable, body=body))
        python.chmod(0o755)
        return Toolchain(name="poser", kind=ToolchainKind.TENSORRT, python=python)

    def library(self, body: str) -> Toolchain:
        """A toolchain with the real builder process, whose `tensorrt` is the module `body`."""
        (self.folder / "tensorrt.py").write_text(body)
        python = Path(sys.executable)
        return Toolchain(name="library", kind=ToolchainKind.TENSORRT, python=python, python_path=(self.folder,))

    def run(
        self,
        toolchain: Toolchain,
        *,
        step: str = "trt-probe",
        limits: Limits | None = None,
        on_event: Listener | None = None,
        should_stop: CancelToken | None = None,
    ) -> BuilderAnswer:
        request = BuilderRequest(
            toolchain=toolchain, step=step, args={}, limits=limits or generous(), scratch=self.scratch
        )
        return run_builder(request, on_event=on_event or self.told.append, should_stop=should_stop)

    def processes(self) -> list[psutil.Process]:
        """What builders of this bench left behind; their home is the scratch folder."""
        return self.processes_in(self.scratch)

    def processes_in(self, home: Path) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _home(process) == str(home)]


def generous(
    *,
    wall_seconds: float = 60,
    silent_seconds: float = 60,
    memory_bytes: int = 1 << 30,
    file_bytes: int = 1 << 30,
    grace_seconds: float = 0.2,
) -> Limits:
    """Limits that only the one named can break."""
    return Limits(
        wall_seconds=wall_seconds,
        silent_seconds=silent_seconds,
        memory_bytes=memory_bytes,
        file_bytes=file_bytes,
        grace_seconds=grace_seconds,
    )


def _home(process: psutil.Process) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get("HOME")
    except psutil.Error:
        return None


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench that checks at the end of each test that no process is left.

    It hides GPUs: where it finds one, a probe builds with TensorRT and CUDA Python, and a library posing as TensorRT
    has more to do than the test is about.
    """
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bench = Bench(tmp_path)
    yield bench
    assert bench.processes() == []
