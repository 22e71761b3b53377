"""Small ONNX models written by hand, run in ONNX Runtime as they are, and looked into for their Q/DQ pairs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from trtfarm_builder.channel import Channel
from trtfarm_builder.quantization.scales import hex_from_scale
from trtfarm_builder.sessions import open_session, run_session

Arrays = Mapping[str, NDArray[Any]]


@contextmanager
def silent_channel() -> Iterator[Channel]:
    """A real channel whose reader does not care."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield Channel(descriptor)
    finally:
        os.close(descriptor)


def node(op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    """A node named after its output: the node `y_node` makes the tensor `y`."""
    return helper.make_node(op_type, list(inputs), [output], name=f"{output}_node", **attributes)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Arrays | None = None,
    *,
    opset: int = 13,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A float32 model; outputs get the shapes that ONNX infers. `domains` are others that nodes may be from."""
    graph = helper.make_graph(
        list(nodes),
        "hand-made",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape)) for name, shape in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model)
    del inferred.graph.value_info[:]
    return inferred


def weights(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * np.float32(0.3)


def random_feeds(model: onnx.ModelProto, batch: int = 2) -> dict[str, NDArray[np.float32]]:
    """Normally distributed values for every input, free dimensions being `batch`."""
    constants = {item.name for item in model.graph.initializer}
    return {
        item.name: weights(7, *(size.dim_value or batch for size in item.type.tensor_type.shape.dim)) * 3
        for item in model.graph.input
        if item.name not in constants
    }


def run(model: onnx.ModelProto | Path, feeds: Arrays, outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    content = model.read_bytes() if isinstance(model, Path) else model.SerializeToString()
    session = open_session(content, model.parent if isinstance(model, Path) else Path())
    return run_session(session, outputs or [item.name for item in session.get_outputs()], feeds)


def minmax_table(model: onnx.ModelProto, feeds: Arrays) -> dict[str, str]:
    """What a MinMax calibration on these feeds writes: every float32 tensor computed at run time."""
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    outputs = [item.name for item in model.graph.output]
    tensors = [name for item in model.graph.node if item.op_type != "Constant" for name in item.output]
    everything.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in outputs)
    values = {**feeds, **run(everything, feeds)}
    return {
        name: hex_from_scale(float(np.abs(value).max()) / 127)
        for name, value in values.items()
        if value.dtype == np.float32
    }


def read_table(path: Path) -> dict[str, str]:
    """The scales of a calibration table that TensorRT wrote."""
    lines = path.read_text().splitlines()[1:]
    return dict(line.rsplit(": ", 1) for line in lines)


@dataclass(frozen=True, kw_only=True)
class FoundPair:
    """A Q/DQ pair in a model: what it reads, and its parameters."""

    source: str
    axis: int | None
    scales: tuple[float, ...]


def pairs_in(model: onnx.ModelProto) -> dict[tuple[str, int], FoundPair]:
    """(name of a node, number of its input) -> the pair that this input goes through."""
    makers = {item.output[0]: item for item in model.graph.node if item.output}
    values = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    found = {}
    for item in model.graph.node:
        for position, name in enumerate(item.input):
            last = makers.get(name)
            if last is None or last.op_type != "DequantizeLinear":
                continue
            first = makers[last.input[0]]
            assert first.op_type == "QuantizeLinear"
            assert first.input[1:] == last.input[1:]
            assert first.attribute == last.attribute
            assert values[first.input[2]].dtype == np.int8
            assert not values[first.input[2]].any()
            scales = values[first.input[1]]
            assert values[first.input[2]].shape == scales.shape
            axis = first.attribute[0].i if first.attribute else None
            found[item.name, position] = FoundPair(
                source=first.input[0], axis=axis, scales=tuple(float(scale) for scale in scales.reshape(-1))
            )
    return found
