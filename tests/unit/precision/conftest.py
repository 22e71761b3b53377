"""The step `convert` as a function of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.unit.onnx_models import silent_channel
from trtfarm_builder.precision import convert


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What the step left in its scratch folder, and what it answered."""

    model: onnx.ModelProto
    path: Path
    result: dict[str, Any]

    @property
    def reasons(self) -> dict[str, str]:
        return {item["node"]: item["reason"] for item in self.result["left"]}

    @property
    def op_types(self) -> list[str]:
        return [node.op_type for node in self.model.graph.node]

    def types(self) -> dict[str, int]:
        """Element types of all tensors; ONNX's own inference fails where they contradict each other."""
        graph = onnx.shape_inference.infer_shapes(self.model, strict_mode=True).graph
        inferred = {
            item.name: item.type.tensor_type.elem_type
            for items in (graph.input, graph.value_info, graph.output)
            for item in items
        }
        return inferred | {item.name: item.data_type for item in graph.initializer}


Convert = Callable[..., Converted]


@pytest.fixture
def converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Convert:
    """Runs the step on a model, in memory or in a file."""
    monkeypatch.chdir(tmp_path)

    def run(
        model: onnx.ModelProto | Path, *, exclude_nodes: Sequence[str] = (), exclude_op_types: Sequence[str] = ()
    ) -> Converted:
        path = model if isinstance(model, Path) else tmp_path / "model.onnx"
        if isinstance(model, onnx.ModelProto):
            onnx.save(model, path)
        options = {"exclude_nodes": list(exclude_nodes), "exclude_op_types": list(exclude_op_types)}
        with silent_channel() as channel:
            result = convert.run({"model": str(path), "options": options}, channel)
        written = tmp_path / result["model"]
        return Converted(model=onnx.load(written, load_external_data=False), path=written, result=result)

    return run
