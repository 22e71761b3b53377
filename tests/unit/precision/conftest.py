"""The step `convert` as a function of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.unit.rewrites import Rewrite, Rewritten, rewritten
from trtfarm_builder.precision import convert


@pytest.fixture
def converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rewrite:
    """Runs the step on a model, in memory or in a file."""
    monkeypatch.chdir(tmp_path)

    def run(model: onnx.ModelProto | Path, **options: Any) -> Rewritten:
        return rewritten(convert.run, tmp_path, model, {}, **options)

    return run
