"""A model each of whose Q/DQ pairs can be switched on and off from one run to the next.

One session then tries any choice of nodes. A session for each choice would read all the weights each time, which takes
longer than the few samples that tell the sensitive nodes from the others.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, List, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtfarm_builder.onnx_files import serialized
from trtfarm_builder.quantization.graph import Edge, Names
from trtfarm_builder.quantization.placement import Pair, Plan


@dataclass(frozen=True)
class SwitchedModel:
    """`content` is the serialized model; `switches` maps an input of a node to the graph input that switches its pair.

    A switch is a boolean of shape (); with all of them off the model computes what it did without Q/DQ.
    """

    content: bytes
    switches: Mapping[Edge, str]


def with_switches(model: onnx.ModelProto, plan: Plan) -> SwitchedModel:
    """A copy of the model with the plan's pairs, each behind a switch of its own. Raises BadModelError over 2 GiB."""
    switched = onnx.ModelProto()
    switched.CopyFrom(model)
    names = Names(model)
    switches: Dict[Edge, str] = {}
    before: Dict[int, List[onnx.NodeProto]] = defaultdict(list)
    for pair in plan.pairs:
        parameters = _parameters(switched.graph, names, pair)
        for edge in pair.readers:
            switch = names.fresh("{}/switch".format(pair.tensor))
            chosen = names.fresh("{}/chosen".format(pair.tensor))
            before[edge.node].append(_either(names, pair, parameters, switch, chosen))
            switched.graph.node[edge.node].input[edge.input] = chosen
            switched.graph.input.append(helper.make_tensor_value_info(switch, onnx.TensorProto.BOOL, []))
            switches[edge] = switch
    nodes: List[onnx.NodeProto] = []
    for number, node in enumerate(switched.graph.node):
        nodes.extend(before[number])
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del switched.graph.node[:]
    switched.graph.node.extend(nodes)
    return SwitchedModel(content=serialized(switched, "the model is too large to search in"), switches=switches)


def _parameters(graph: onnx.GraphProto, names: Names, pair: Pair) -> List[str]:
    """Names of the pair's scale and zero point, added to the graph's initializers."""
    scales = np.asarray(np.float32(pair.scale) if pair.weight is None else pair.weight.scales)
    found = []
    for suffix, value in (("/scale", scales), ("/zero_point", np.zeros(scales.shape, np.int8))):
        name = names.fresh(pair.tensor + suffix)
        graph.initializer.append(numpy_helper.from_array(value, name))
        found.append(name)
    return found


def _either(names: Names, pair: Pair, parameters: List[str], switch: str, chosen: str) -> onnx.NodeProto:
    """If the switch is on, the tensor through Q/DQ; else the tensor as it is."""
    quantized, dequantized, plain = (names.fresh(pair.tensor + word) for word in ("/q", "/dq", "/plain"))
    through = [
        helper.make_node("QuantizeLinear", [pair.tensor, *parameters], [quantized]),
        helper.make_node("DequantizeLinear", [quantized, *parameters], [dequantized]),
    ]
    if pair.weight is not None and pair.weight.axis is not None:
        for node in through:
            node.attribute.append(helper.make_attribute("axis", pair.weight.axis))
    past = [helper.make_node("Identity", [pair.tensor], [plain])]
    return helper.make_node(
        "If", [switch], [chosen], then_branch=_body(through, dequantized), else_branch=_body(past, plain)
    )


def _body(nodes: List[onnx.NodeProto], output: str) -> onnx.GraphProto:
    result = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    return helper.make_graph(nodes, output, [], [result])
