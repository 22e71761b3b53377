"""The golden models as TensorRT's parser sees them: network.json, and the readers of each tensor from the ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from trtfarm_builder.trt.network_view import Layer, NetworkView, Tensor


class GoldenNetwork:
    """`view` and `constants`, as the child has them from TensorRT."""

    def __init__(self, folder: Path) -> None:
        self._rows = json.loads((folder / "network.json").read_text())
        self._model = onnx.load(str(folder / "model.onnx"))
        graph = self._model.graph
        self._nodes = {output: node for node in graph.node for output in node.output}
        self._values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self._values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        outputs = tuple(item.name for item in graph.output)
        inputs = tuple(Tensor(name=item.name, dtype="FLOAT", rank=4) for item in graph.input)
        self.view = NetworkView(inputs=inputs, layers=tuple(map(self._layer, self._rows)), outputs=outputs)

    def constants(self, index: int) -> Any:
        """An unnamed constant is one that the parser made up: none of these is float."""
        return np.asarray(self._values[self._rows[index]["layer"]])

    def _layer(self, row: dict[str, Any]) -> Layer:
        output = Tensor(name=row["tensor"], dtype=row["dtype"], rank=len(row["shape"]))
        return Layer(
            index=row["index"], name=row["layer"], kind=row["type"], inputs=self._inputs(row), outputs=(output,)
        )

    def _inputs(self, row: dict[str, Any]) -> tuple[str, ...]:
        index, layer = row["index"], row["layer"]
        if row["type"] == "CONSTANT":
            return ()
        if row["type"] == "SHUFFLE" and layer.startswith("(Unnamed"):
            return (self._rows[index - 1]["tensor"],)
        if layer.startswith("(Unnamed") and row["tensor"] in self._nodes:
            # The bias of a Gemm: its product, then the bias reshaped, then the sum.
            return (self._rows[index - 3]["tensor"], self._rows[index - 1]["tensor"])
        node = self._nodes.get(row["tensor"]) or next((n for n in self._model.graph.node if n.name == layer), None)
        return tuple(map(self._tensor_of, node.input)) if node else ()

    def _tensor_of(self, name: str) -> str:
        """TensorRT's name for what the ONNX file calls `name`: constants go by their layer, reshaped if need be."""
        for row in self._rows:
            if row["layer"] == name and row["type"] == "CONSTANT":
                after = self._rows[row["index"] + 1]
                reshaped = after["type"] == "SHUFFLE" and after["layer"].startswith("(Unnamed")
                return str(after["tensor"] if reshaped else row["tensor"])
        return name
