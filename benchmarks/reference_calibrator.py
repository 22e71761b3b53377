"""The reference calibrator's entropy2 against onnxruntime.quantization's entropy calibrator.

Same model, same samples, as many bins; each a whole process, started afresh. The mix of layers comes with the golden
files (`TRTFARM_GOLDEN`, else beside the repository); the sentence encoder has to be exported
(`scripts/export_minilm.py`) and named in `TRTFARM_MINILM`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Measurement, measure
from trtfarm_builder import PROTOCOL, launch

_REPOSITORY = Path(__file__).resolve().parents[1]
_BATCH_SIZE = 50
_STDOUT = "1"
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model and its samples, one .npy file per input."""

    name: str
    model: Path
    inputs: dict[str, Path]

    def request(self) -> bytes:
        rule = {"calibrator": "entropy2", "batch_size": _BATCH_SIZE, "before_fusion": True}
        inputs = {name: _spec(path) for name, path in self.inputs.items()}
        args = {"model": str(self.model), "inputs": inputs, "rule": rule}
        return json.dumps({"protocol": PROTOCOL, "step": "calibrate", "args": args}).encode()


def run() -> None:
    print(f"{'':22}{'ours':>20}{'onnxruntime':>20}{'times faster':>14}{'share of memory':>17}")
    for case in cases():
        request = case.request()
        ours = measure([sys.executable, "-I", launch.__file__, _STDOUT], request)
        peer = measure([sys.executable, "-m", "benchmarks.peers.onnxruntime_entropy"], request)
        print(
            f"{case.name:22}{_shown(ours):>20}{_shown(peer):>20}{peer.seconds / ours.seconds:14.1f}"
            f"{ours.peak_bytes / peer.peak_bytes:17.2f}",
            flush=True,
        )


def cases() -> Iterator[Case]:
    """Those that can be had here; says what is left out."""
    golden = Path(os.environ.get("TRTFARM_GOLDEN", _REPOSITORY.parent / "shared" / "golden"))
    if golden.is_dir():
        zoo = golden / "zoo"
        yield Case(name="layer mix, 200", model=zoo / "model.onnx", inputs={"x": zoo / "calib.npy"})
    else:
        print(f"layer mix: left out, no golden files at {golden} (set TRTFARM_GOLDEN)")
    if "TRTFARM_MINILM" in os.environ:
        tokens = _REPOSITORY / "calib_data" / "minilm"
        yield Case(
            name="MiniLM, 200 x 64",
            model=Path(os.environ["TRTFARM_MINILM"]),
            inputs={name: tokens / f"{name}.npy" for name in ("input_ids", "attention_mask")},
        )
    else:
        print("MiniLM: left out (scripts/export_minilm.py export PATH, then set TRTFARM_MINILM=PATH)")


def _spec(path: Path) -> dict[str, Any]:
    array = np.load(path, mmap_mode="r")
    return {"path": str(path), "dtype": str(array.dtype), "shape": list(array.shape)}


def _shown(measurement: Measurement) -> str:
    return f"{measurement.seconds:.1f} s, {measurement.peak_bytes / _MIB:,.0f} MiB"
