"""The search as a function of a model, its table and its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.unit.onnx_models import silent_channel
from tests.unit.rewrites import Rewritten
from trtfarm_builder.sensitivity import search

Search = Callable[..., Rewritten]


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Runs the step `search` on a model, in memory or in a file."""
    monkeypatch.chdir(tmp_path)

    def run(
        model: onnx.ModelProto | Path,
        table: Mapping[str, str],
        data: Mapping[str, NDArray[Any]],
        *,
        allowed: float,
        measure: str = "cosine",
        exclude_nodes: Sequence[str] = (),
    ) -> Rewritten:
        path = model if isinstance(model, Path) else tmp_path / "model.onnx"
        if isinstance(model, onnx.ModelProto):
            onnx.save(model, path)
        for name, array in data.items():
            np.save(tmp_path / f"{name}.npy", array)
        inputs = {
            name: {"path": str(tmp_path / f"{name}.npy"), "dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in data.items()
        }
        args = {
            "model": str(path),
            "scales": dict(table),
            "options": {"exclude_nodes": list(exclude_nodes)},
            "inputs": inputs,
            "batch_size": 16,
            "allowed": allowed,
            "measure": measure,
        }
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        for left_over in scratch.iterdir():
            left_over.unlink()
        monkeypatch.chdir(scratch)
        with silent_channel() as channel:
            result = search.run(args, channel)
        written = scratch / result["model"]
        return Rewritten(model=onnx.load(str(written), load_external_data=False), path=written, result=result)

    return run
