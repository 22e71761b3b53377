"""onnxruntime.quantization's entropy calibrator: the request of our step `calibrate` on stdin, ranges on stdout."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator

# As many bins and levels as TensorRT has.
_BINS = {"num_bins": 2048, "num_quantized_bins": 128}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, arrays: Mapping[str, NDArray[Any]], batch_size: int) -> None:
        self._batches = self._cut(arrays, batch_size)

    @staticmethod
    def _cut(arrays: Mapping[str, NDArray[Any]], batch_size: int) -> Iterator[dict[str, NDArray[Any]]]:
        samples = len(next(iter(arrays.values())))
        for start in range(0, samples, batch_size):
            yield {name: array[start : start + batch_size] for name, array in arrays.items()}

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def main() -> None:
    args = json.load(sys.stdin)["args"]
    arrays = {name: np.load(spec["path"], mmap_mode="r") for name, spec in args["inputs"].items()}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        calibrator = create_calibrator(
            Path(args["model"]),
            calibrate_method=CalibrationMethod.Entropy,
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            extra_options=_BINS,
        )
        calibrator.collect_data(_Reader(arrays, args["rule"]["batch_size"]))
        found = calibrator.compute_data()
    json.dump({name: float(np.max(np.abs(data.range_value))) for name, data in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
