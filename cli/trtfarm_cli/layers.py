"""The layers of an engine as lines, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtfarm.catalog.differences import PAIR_NODES
from trtfarm_cli import output

_SHOWN = 3


def emit_layers(layers: Sequence[Mapping[str, Any]]) -> None:
    """A line each: what it computes in, reads and writes, and which tactic or ONNX nodes it is made of."""
    rows = [
        {
            "layer": layer["name"],
            "type": layer["type"] or None,
            "computes in": layer["dtype"],
            "inputs": " ".join(layer["inputs"]) or None,
            "outputs": " ".join(layer["outputs"]) or None,
            "from": _origin(layer),
        }
        for layer in layers
    ]
    output.emit_table(rows, dict.fromkeys(("layer", "type", "computes in", "inputs", "outputs", "from")))


def _origin(layer: Mapping[str, Any]) -> str | None:
    if tactic := layer.get("tactic"):
        return str(tactic)
    # Each layer that has a node that is only there for INT8 would name four.
    nodes = [node for node in layer.get("onnx_nodes", ()) if not node.endswith(PAIR_NODES)]
    more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
    return ", ".join(nodes[:_SHOWN]) + more if nodes else None
