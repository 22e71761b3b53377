"""A farm on a host whose only TensorRT is a program that answers as one did on an H200."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.cli import gpu_poser
from tests.acceptance.cli.program import Program
from trtfarm_worker.toolchains.install import add_toolchain
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import ToolchainKind

ON_H200 = ("--target", "sm_90")


@dataclass(frozen=True, kw_only=True)
class GpuFarm:
    """A farm whose only TensorRT is the program in `folder`."""

    program: Program
    model: Path
    folder: Path

    def submit(self, *options: str | Path) -> Any:
        return self.program.json("submit", self.model, *ON_H200, *options)

    def refused(self, code: int, *options: str | Path) -> dict[str, Any]:
        return self.program.fails(code, "submit", self.model, *ON_H200, *options)

    def asked(self, step: str) -> list[dict[str, Any]]:
        """The arguments of all requests of a step."""
        return [request["args"] for request in self.requests() if request["step"] == step]

    def requests(self) -> list[dict[str, Any]]:
        """All requests; those that came to a builder which had begun before have `ahead`."""
        return [json.loads(line) for line in (self.folder / "asked.jsonl").read_text().splitlines()]

    def fails(self, step: str, **failure: str) -> None:
        event = {"cause": None, "remedy": None, **failure}
        (self.folder / f"fails-{step}").write_text(json.dumps(event))

    @classmethod
    def made(cls, program: Program, model: Path, golden: Path, folder: Path) -> GpuFarm:
        """Adds the program to the farm's toolchains, from the new folder `folder`."""
        folder.mkdir()
        for table in (golden / "lenet").glob("*-bs50*.table"):
            shutil.copy(table, folder)
        python = folder / "python"
        python.write_text(f"#!{sys.executable} -I\n" + Path(gpu_poser.__file__).read_text())
        python.chmod(0o755)
        add_toolchain(python, registry=ToolchainRegistry(program.home), kind=ToolchainKind.TENSORRT)
        return cls(program=program, model=model, folder=folder)
