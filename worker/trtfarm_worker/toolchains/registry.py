"""The toolchains of this host: a JSON file each in the farm's home, and the reference one, which is always there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from trtfarm.calibrators import Calibrator
from trtfarm.errors import NotFoundError, ToolchainError, UsageError
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind, checked_name

REFERENCE_NAME = "reference"
_SCHEMA = 1


class ToolchainRegistry:
    """Files `<home>/toolchains/<name>.json`; an environment that the farm installed is the folder `<name>` beside."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "toolchains"

    def toolchains(self) -> list[Toolchain]:
        """All of them by name, the reference one first. Raises ToolchainError for a file that cannot be read."""
        return [reference_toolchain(), *(self._read(path) for path in sorted(self.folder.glob("*.json")))]

    def get(self, name: str) -> Toolchain:
        """Raises NotFoundError with the names that there are."""
        if name == REFERENCE_NAME:
            return reference_toolchain()
        path = self._file(name)
        if not path.exists():
            names = ", ".join(toolchain.name for toolchain in self.toolchains())
            raise NotFoundError(f"there is no toolchain {name}", remedy=f"there are: {names}")
        return self._read(path)

    def put(self, toolchain: Toolchain) -> None:
        """Writes or replaces the toolchain's file in one step."""
        target = self._file(toolchain.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"schema": _SCHEMA, **toolchain.as_dict()}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink()
            raise

    def remove(self, name: str) -> None:
        """Forgets a toolchain, and deletes its environment if the farm installed it."""
        toolchain = self.get(name)
        self._file(name).unlink()
        if toolchain.environment is not None:
            shutil.rmtree(toolchain.environment)

    def _file(self, name: str) -> Path:
        if name == REFERENCE_NAME:
            raise UsageError("the reference toolchain is built in", remedy="use another name")
        return self.folder / f"{checked_name(name)}.json"

    def _read(self, path: Path) -> Toolchain:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("schema") != _SCHEMA:
                raise ValueError("written by another release of trtfarm")
            toolchain = Toolchain.from_dict(data)
            if self._file(toolchain.name) != path:
                raise ValueError(f"it describes {toolchain.name}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise ToolchainError(
                f"the toolchain file {path} cannot be read",
                cause=f"{type(error).__name__}: {error}",
                remedy="delete it, then install or add the toolchain again",
            ) from error
        return toolchain


@cache
def _onnxruntime() -> str:
    """Of this interpreter; looked up in all that is installed, which no job should wait for."""
    return version("onnxruntime")


def reference_toolchain() -> Toolchain:
    """The worker's own interpreter, with its ONNX Runtime."""
    return Toolchain(
        name=REFERENCE_NAME,
        kind=ToolchainKind.REFERENCE,
        python=Path(sys.executable),
        version=_onnxruntime(),
        capabilities=Capabilities(calibrators=tuple(Calibrator)),
    )
