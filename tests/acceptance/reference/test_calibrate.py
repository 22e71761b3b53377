"""The calibrator as a process of its own, on the digits of the repository."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.processes import Measurement, measure
from tests.conftest import REPOSITORY
from trtfarm_builder import PROTOCOL, launch

DIGITS = REPOSITORY / "calib_data" / "mnist"
MIB = 1 << 20


def calibrate(data: Path, calibrator: str) -> Measurement:
    array = np.load(data, mmap_mode="r")
    spec = {"path": str(data), "dtype": str(array.dtype), "shape": list(array.shape)}
    args = {
        "model": str(DIGITS / "lenet.onnx"),
        "inputs": {"data": spec},
        "rule": {"calibrator": calibrator, "batch_size": 50, "before_fusion": True, "quantile": None, "cutoff": None},
    }
    request = {"protocol": PROTOCOL, "step": "calibrate", "args": args}
    return measure([sys.executable, "-I", launch.__file__, "1"], json.dumps(request).encode())


def answer_of(measurement: Measurement) -> dict[str, Any]:
    last = json.loads(measurement.output.splitlines()[-1])
    assert last["event"] == "answer"
    result: dict[str, Any] = last["result"]
    return result


@pytest.mark.parametrize("calibrator", ["minmax", "entropy2"])
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path, calibrator: str) -> None:
    once = DIGITS / "data.npy"
    np.save(tmp_path / "often.npy", np.tile(np.load(once), (12, 1, 1, 1)))
    assert (tmp_path / "often.npy").stat().st_size > 17 * MIB
    few, many = calibrate(once, calibrator), calibrate(tmp_path / "often.npy", calibrator)
    assert answer_of(many)["samples"] == 12 * answer_of(few)["samples"]
    assert many.peak_bytes < few.peak_bytes + 6 * MIB


def test_two_processes_write_the_same_scales() -> None:
    first, second = (answer_of(calibrate(DIGITS / "data.npy", "entropy2")) for _ in range(2))
    assert first == second
    assert next(iter(first["scales"])) == "data"
