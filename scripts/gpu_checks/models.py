"""Small models that the checks make themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 13
_IR = 8
_SEED = 7


def integer_model(folder: Path) -> str:
    """int64 tokens (N, 16) -> float32 (N, 4): a cast and a matrix product."""
    weights = np.random.default_rng(_SEED).normal(size=(16, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["tokens"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["real", "w"], ["y"]),
    ]
    return _saved(
        folder / "integer.onnx",
        nodes,
        {"tokens": (TensorProto.INT64, ["N", 16])},
        {"y": ["N", 4]},
        {"w": weights},
    )


def image_model(folder: Path) -> str:
    """float32 image (N, 3, 224, 224) -> (N, 10): strided convolutions, little work for each byte that is copied."""
    numbers = np.random.default_rng(_SEED)
    weights = {
        "w1": numbers.normal(0, 0.1, (16, 3, 7, 7)).astype(np.float32),
        "w2": numbers.normal(0, 0.1, (32, 16, 3, 3)).astype(np.float32),
        "w3": numbers.normal(0, 0.1, (10, 32, 3, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], strides=[4, 4], pads=[3, 3, 3, 3], kernel_shape=[7, 7]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c3"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"]),
    ]
    return _saved(
        folder / "image.onnx",
        nodes,
        {"image": (TensorProto.FLOAT, ["N", 3, 224, 224])},
        {"scores": ["N", 10]},
        weights,
    )


def unparsable_model(folder: Path) -> str:
    """A model with an operator that TensorRT's parser does not know."""
    nodes = [helper.make_node("Det", ["x"], ["y"], name="the-determinant")]
    return _saved(folder / "unparsable.onnx", nodes, {"x": (TensorProto.FLOAT, ["N", 4, 4])}, {"y": ["N"]}, {})


def _saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: dict[str, list[int | str]],
    weights: dict[str, np.ndarray[Any, Any]],
) -> str:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    # TensorRT 8.5 reads no newer IR than it knows.
    model.ir_version = _IR
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)
