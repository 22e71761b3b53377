"""Modules that stand for what a machine without a GPU lacks, and answer as such a machine was seen to."""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.posers import pynvml
from trtfarm_worker.gpus.turns import shared_folder

#: As NVML told it of the GPU in docs/gpu-report.md.
H200: Mapping[str, Any] = {
    "name": "NVIDIA H200",
    "compute_capability": [9, 0],
    "total": 150_754_820_096,
    "used": 634_650_624,
    "holders": [],
    "ecc": 0,
    "remapped": [0, 0, 0, 0],
    "mig": 0,
}


@dataclass
class PosedGpus:
    """What the posing `pynvml` says, here and in programs started from here; `say` changes it."""

    path: Path
    uuids: tuple[str, ...]
    #: What programs need in theirs to see these GPUs.
    environment: Mapping[str, str]

    def say(self, number: int, **facts: Any) -> None:
        """Changes facts of one GPU, seen by whoever reads it next."""
        said = json.loads(self.path.read_text())
        said["gpus"][number] |= facts
        self._write(said)

    def _write(self, said: Mapping[str, Any]) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(said))
        beside.replace(self.path)


def posed_gpus(monkeypatch: pytest.MonkeyPatch, folder: Path, *gpus: Mapping[str, Any]) -> PosedGpus:
    """Has programs find these GPUs; each has a UUID of its own, so that tests do not wait for each other's turns."""
    said = [{"uuid": f"GPU-{uuid4()}", **gpu} for gpu in gpus]
    path = folder / "nvml.json"
    path.write_text(json.dumps({"driver": "580.159.04", "gpus": said}))
    posers = str(Path(__file__).parent)
    environment = {"NVML_SAYS": str(path), "PYTHONPATH": posers}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "pynvml", pynvml)
    uuids = tuple(str(gpu["uuid"]) for gpu in said)
    atexit.register(_remove_locks, uuids)
    return PosedGpus(path=path, uuids=uuids, environment=environment)


def _remove_locks(uuids: Iterable[str]) -> None:
    """The locks of real GPUs stay for ever, but these GPUs never come again."""
    for uuid in uuids:
        (shared_folder() / f"trtfarm-{uuid}.lock").unlink(missing_ok=True)
