"""Small ONNX models with Q/DQ nodes, written by hand so that these tests need no quantizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_SCALE = np.float32(0.02)


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(7)

    def weight(self, name: str, *shape: int) -> str:
        return self._constant(name, self._random.normal(0, 0.1, shape).astype(np.float32))

    def through_int8(self, tensor: str) -> str:
        """The tensor behind a pair of QuantizeLinear and DequantizeLinear."""
        scale = self._constant(f"{tensor}_scale", np.asarray(_SCALE))
        zero = self._constant(f"{tensor}_zero", np.asarray(np.int8(0)))
        self.node("QuantizeLinear", [tensor, scale, zero], f"{tensor}_q")
        return self.node("DequantizeLinear", [f"{tensor}_q", scale, zero], f"{tensor}_dq")

    def node(self, op: str, inputs: list[str], output: str, **attributes: list[int]) -> str:
        node = helper.make_node(op, inputs, [output], name=f"{op}:{output}")
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def save(self, path: Path) -> Path:
        """With input x of shape (N, 3, 16, 16) and output prob of shape (N, 10)."""
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])]
        outputs = [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["N", 10])]
        graph = helper.make_graph(self.nodes, "model", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)
        return path

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name


def quantized_model(path: Path) -> Path:
    """Convolution, ReLU, max-pool, convolution, matrix product, softmax; INT8 up to the softmax."""
    graph = _Graph()
    weights = {
        "w1": graph.weight("w1", 16, 3, 3, 3),
        "w2": graph.weight("w2", 32, 16, 3, 3),
        "w3": graph.weight("w3", 32 * 8 * 8, 10),
    }
    graph.node("Conv", [graph.through_int8("x"), graph.through_int8(weights["w1"])], "c1", pads=[1, 1, 1, 1])
    graph.node("Relu", ["c1"], "r1")
    graph.node("MaxPool", [graph.through_int8("r1")], "p1", kernel_shape=[2, 2], strides=[2, 2])
    graph.node("Conv", [graph.through_int8("p1"), graph.through_int8(weights["w2"])], "c2", pads=[1, 1, 1, 1])
    graph.node("Flatten", ["c2"], "f")
    graph.node("MatMul", [graph.through_int8("f"), graph.through_int8(weights["w3"])], "y")
    graph.node("Softmax", ["y"], "prob")
    return graph.save(path)


def quantized_convolution(path: Path) -> Path:
    graph = _Graph()
    weight = graph.weight("w", 10, 3, 16, 16)
    graph.node("Conv", [graph.through_int8("x"), graph.through_int8(weight)], "c")
    graph.node("Flatten", ["c"], "prob")
    return graph.save(path)


def unparsable_model(path: Path) -> Path:
    """Valid ONNX with an operator that no TensorRT knows."""
    graph = _Graph()
    graph.node("StringNormalizer", ["x"], "prob")
    return graph.save(path)
