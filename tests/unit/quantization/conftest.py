"""The step `quantize` as a function of a model and a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.unit.rewrites import Rewrite, Rewritten, rewritten
from trtfarm_builder.quantization import quantize


@pytest.fixture
def quantized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rewrite:
    """Runs the step on a model, in memory or in a file."""
    monkeypatch.chdir(tmp_path)

    def run(model: onnx.ModelProto | Path, table: Mapping[str, str], **options: Any) -> Rewritten:
        done = rewritten(quantize.run, tmp_path, model, {"scales": dict(table)}, **options)
        if not done.result["external"]:
            onnx.checker.check_model(str(done.path), full_check=True)
        return done

    return run
