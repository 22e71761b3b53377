"""Steps that rewrite a model (`quantize`, `convert`), run as functions on models made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from tests.unit.onnx_models import silent_channel
from trtfarm_builder.channel import Channel

Step = Callable[[dict[str, Any], Channel], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Rewritten:
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


Rewrite = Callable[..., Rewritten]


def rewritten(
    step: Step,
    folder: Path,
    model: onnx.ModelProto | Path,
    more: Mapping[str, Any],
    *,
    exclude_nodes: Sequence[str] = (),
    exclude_op_types: Sequence[str] = (),
) -> Rewritten:
    """Runs a step, whose current folder is `folder`, on a model in memory or in a file."""
    path = model if isinstance(model, Path) else folder / "model.onnx"
    if isinstance(model, onnx.ModelProto):
        onnx.save(model, path)
    options = {"exclude_nodes": list(exclude_nodes), "exclude_op_types": list(exclude_op_types)}
    with silent_channel() as channel:
        result = step({"model": str(path), "options": options, **more}, channel)
    written = folder / result["model"]
    return Rewritten(model=onnx.load(written, load_external_data=False), path=written, result=result)
