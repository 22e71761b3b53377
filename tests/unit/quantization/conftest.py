"""The quantizer's steps as functions of a model and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import pytest

from tests.unit.onnx_models import silent_channel
from tests.unit.quantization.checks import Quantize, Quantized
from trtfarm_builder.quantization import quantize


@pytest.fixture
def quantized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quantize:
    """Runs the step `quantize` on a model, in memory or in a file."""
    monkeypatch.chdir(tmp_path)

    def run(
        model: onnx.ModelProto | Path,
        table: Mapping[str, str],
        *,
        exclude_nodes: Sequence[str] = (),
        exclude_op_types: Sequence[str] = (),
    ) -> Quantized:
        path = model if isinstance(model, Path) else tmp_path / "model.onnx"
        if isinstance(model, onnx.ModelProto):
            onnx.save(model, path)
        options = {"exclude_nodes": list(exclude_nodes), "exclude_op_types": list(exclude_op_types)}
        with silent_channel() as channel:
            result = quantize.run({"model": str(path), "scales": dict(table), "options": options}, channel)
        written = tmp_path / result["model"]
        if not result["external"]:
            onnx.checker.check_model(str(written), full_check=True)
        return Quantized(model=onnx.load(str(written), load_external_data=False), path=written, result=result)

    return run
