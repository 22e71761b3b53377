"""Steps of the reference calibrator, run in this process on models and arrays."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.unit.onnx_models import silent_channel
from trtfarm_builder.reference import calibrate
from trtfarm_builder.reference.observation import Observation
from trtfarm_builder.reference.shard import observe_shard

GOLDEN_INPUTS = {"lenet": "data", "zoo": "x"}
#: TensorRT's names for the products within Gemm -> ours.
GOLDEN_PRODUCTS = {
    "lenet": {
        "(Unnamed Layer* 11) [Matrix Multiply]_output": "/f1/Gemm_output_0#product",
        "(Unnamed Layer* 17) [Matrix Multiply]_output": "/f2/Gemm_output_0#product",
    },
    "zoo": {"(Unnamed Layer* 58) [Matrix Multiply]_output": "/fc2/Gemm_output_0#product"},
}


def array_spec(path: Path) -> dict[str, Any]:
    array = np.load(path, mmap_mode="r")
    return {"path": str(path), "dtype": str(array.dtype), "shape": list(array.shape)}


def request(
    folder: Path,
    model: onnx.ModelProto,
    arrays: Mapping[str, NDArray[Any]],
    calibrator: str,
    batch_size: int,
    **rule: Any,
) -> dict[str, Any]:
    """The `args` of a calibration of a model and arrays, which are written into the folder."""
    onnx.save_model(model, folder / "model.onnx")
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {
        "model": str(folder / "model.onnx"),
        "inputs": {name: array_spec(folder / f"{name}.npy") for name in arrays},
        "rule": {"calibrator": calibrator, "batch_size": batch_size, "before_fusion": True, **rule},
    }


def run_calibrate(args: dict[str, Any]) -> dict[str, Any]:
    with silent_channel() as channel:
        return calibrate.run(args, channel)


def golden_request(golden: Path, model: str, calibrator: str, batch_size: int, **rule: Any) -> dict[str, Any]:
    return {
        "model": str(golden / model / "model.onnx"),
        "inputs": {GOLDEN_INPUTS[model]: array_spec(golden / model / "calib.npy")},
        "rule": {"calibrator": calibrator, "batch_size": batch_size, "before_fusion": True, **rule},
    }


@cache
def golden_scales(
    golden: Path, model: str, calibrator: str, batch_size: int, quantile: float | None = None
) -> dict[str, float]:
    """Our scales for a golden model and its data."""
    answer = run_calibrate(golden_request(golden, model, calibrator, batch_size, quantile=quantile))
    return {name: scale_of(digits) for name, digits in answer["scales"].items()}


@cache
def golden_observation(golden: Path, model: str, batch_size: int) -> Observation:
    """Our histograms of a golden model on its data."""
    args = golden_request(golden, model, "entropy2", batch_size)
    with silent_channel() as channel:
        return observe_shard(args, "histogram", batch_size, channel)


def tensorrt_scales(golden: Path, model: str, table: str) -> dict[str, float]:
    """TensorRT's scales for the tensors that have their names from the ONNX model, and for products by our names."""
    lines = (golden / model / f"{table}.table").read_text().splitlines()[1:]
    pairs = (line.rsplit(": ", 1) for line in lines)
    renamed = {GOLDEN_PRODUCTS[model].get(name, name): digits for name, digits in pairs}
    return {name: scale_of(digits) for name, digits in renamed.items() if not name.startswith("(Unnamed")}


def scale_of(digits: str) -> float:
    value: float = struct.unpack(">f", bytes.fromhex(digits))[0]
    return value
