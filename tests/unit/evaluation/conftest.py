"""The steps of evaluation as functions of models and arrays in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.unit.onnx_models import silent_channel
from tests.unit.reference.runs import array_spec
from trtfarm_builder.evaluation import evaluate

Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture
def evaluated(tmp_path: Path) -> Evaluate:
    """Runs the step `evaluate`: models in memory or in files, inputs and labels as arrays."""

    def run(
        reference: onnx.ModelProto | Path,
        candidate: onnx.ModelProto | Path,
        inputs: Mapping[str, NDArray[Any]],
        labels: NDArray[Any] | None = None,
        *,
        batch_size: int = 4,
        output: str | None = None,
    ) -> dict[str, Any]:
        args: dict[str, Any] = {"inputs": {}, "batch_size": batch_size, "output": output, "labels": None}
        for name, model in (("reference", reference), ("candidate", candidate)):
            path = model if isinstance(model, Path) else tmp_path / f"{name}.onnx"
            if isinstance(model, onnx.ModelProto):
                onnx.save(model, path)
            args[name] = str(path)
        for name, array in inputs.items():
            np.save(tmp_path / f"{name}.npy", array)
            args["inputs"][name] = array_spec(tmp_path / f"{name}.npy")
        if labels is not None:
            np.save(tmp_path / "labels.npy", labels)
            args["labels"] = array_spec(tmp_path / "labels.npy")
        with silent_channel() as channel:
            return evaluate.run(args, channel)

    return run
