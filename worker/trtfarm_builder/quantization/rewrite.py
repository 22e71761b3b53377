"""Carries a plan out: adds the Q/DQ nodes and points the planned inputs at them."""

from collections import Counter, defaultdict
from typing import Dict, List, Sequence, Set, Tuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from trtfarm_builder.quantization.constants import FOLDS
from trtfarm_builder.quantization.graph import Names, nodes_within
from trtfarm_builder.quantization.operators import CONVOLUTIONS
from trtfarm_builder.quantization.placement import Pair, Plan

_FIRST_SPATIAL_AXIS = 2


def insert_pairs(model: onnx.ModelProto, plan: Plan) -> None:
    """Changes the model in place; the same model and plan give the same bytes.

    Each pair stands before its first reader. Weights stay float32 and get a QuantizeLinear too, rather than being
    stored as int8: every TensorRT since 8.0 takes that form (int8 constants came later), the weights of a large model
    stay where they are, and the engine holds int8 either way.
    """
    names = Names(model)
    before: Dict[int, List[onnx.NodeProto]] = defaultdict(list)
    for pair in plan.pairs:
        quantize, dequantize = _nodes(model.graph, names, pair)
        before[min(edge.node for edge in pair.readers)].extend((quantize, dequantize))
        for edge in pair.readers:
            reader = model.graph.node[edge.node]
            reader.input[edge.input] = dequantize.output[0]
            if pair.weight is not None:
                _spell_out_kernel(reader, pair.weight.shape)
    nodes: List[onnx.NodeProto] = []
    for number, node in enumerate(model.graph.node):
        nodes.extend(before[number])
        nodes.append(node)
    _replace_nodes(model.graph, nodes)
    if any(pair.weight is not None and pair.weight.folded is not None for pair in plan.pairs):
        _drop_folded(model.graph)


def _nodes(graph: onnx.GraphProto, names: Names, pair: Pair) -> Tuple[onnx.NodeProto, onnx.NodeProto]:
    """The two nodes of a pair; adds their scale, zero point and folded weights to the graph's initializers."""
    weight = pair.weight
    scales = np.float32(pair.scale) if weight is None else weight.scales
    source = pair.tensor
    if weight is not None and weight.folded is not None:
        source = _initializer(graph, names.fresh(pair.tensor + "/folded"), weight.folded)
    # Zero points are of the scale's shape and spelled out: the parser of TensorRT 8.5 insists on both.
    scale = _initializer(graph, names.fresh(pair.tensor + "/scale"), np.asarray(scales))
    zero = _initializer(graph, names.fresh(pair.tensor + "/zero_point"), np.zeros(np.shape(scales), np.int8))
    nodes = []
    for op_type, suffix in (("QuantizeLinear", "/quantized"), ("DequantizeLinear", "/dequantized")):
        result = names.fresh(pair.tensor + suffix)
        name = names.fresh("{}/{}".format(pair.tensor, op_type))
        node = helper.make_node(op_type, [source, scale, zero], [result], name=name)
        if weight is not None and weight.axis is not None:
            node.attribute.append(helper.make_attribute("axis", weight.axis))
        nodes.append(node)
        source = result
    return nodes[0], nodes[1]


def _spell_out_kernel(node: onnx.NodeProto, weights: Sequence[int]) -> None:
    """ONNX infers a missing kernel_shape from the weights; TensorRT 8.5 does not where the weights come from a node."""
    if node.op_type in CONVOLUTIONS and not any(item.name == "kernel_shape" for item in node.attribute):
        node.attribute.append(helper.make_attribute("kernel_shape", weights[_FIRST_SPATIAL_AXIS:]))


def _initializer(graph: onnx.GraphProto, name: str, value: npt.NDArray[np.generic]) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _drop_folded(graph: onnx.GraphProto) -> None:
    """Takes out the steps whose results are stored now, with the constants that only they read."""
    reads = Counter(item.name for item in graph.output)
    for node in graph.node:
        reads.update(node.input)
        reads.update(name for inner in nodes_within(node) for name in inner.input)
    freed: Set[str] = set()
    kept: List[onnx.NodeProto] = []
    for node in reversed(graph.node):
        step = node.op_type in FOLDS or (node.op_type == "Constant" and node.output[0] in freed)
        if step and not any(reads[name] for name in node.output):
            reads.subtract(node.input)
            freed.update(node.input)
        else:
            kept.append(node)
    _replace_nodes(graph, kept[::-1])
    # Without its initializer, a graph input would have to be fed.
    freed -= {item.name for item in graph.input}
    for number in reversed(range(len(graph.initializer))):
        name = graph.initializer[number].name
        if name in freed and not reads[name]:
            del graph.initializer[number]


def _replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
