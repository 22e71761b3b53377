"""Who makes and who reads each tensor of a model's main graph, and what type it has."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Set, Tuple

import onnx

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.quantization.operators import STANDARD_DOMAINS


@dataclass(frozen=True)
class Edge:
    """Input number `input` of node number `node` of the main graph."""

    node: int
    input: int


def label(node: onnx.NodeProto) -> str:
    """What messages call a node: its name, or its first output where it has none."""
    return node.name or (node.output[0] if node.output else node.op_type)


def is_standard(node: onnx.NodeProto) -> bool:
    """Whether the node is one of ONNX's own operators, not a namesake from another domain."""
    return node.domain in STANDARD_DOMAINS


def integer_attributes(node: onnx.NodeProto) -> Dict[str, int]:
    return {item.name: item.i for item in node.attribute if item.type == onnx.AttributeProto.INT}


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of If, Loop, Scan and their like."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def nodes_within(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Every node of the node's subgraphs, at any depth."""
    for body in subgraphs(node):
        for inner in body.node:
            yield inner
            yield from nodes_within(inner)


class Graph:
    """An index over the main graph; the model must not change while it is in use.

    Types come from ONNX's shape inference, which leaves out what it cannot follow; BadModelError where it fails.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes: Tuple[onnx.NodeProto, ...] = tuple(graph.node)
        self.initializers: Mapping[str, onnx.TensorProto] = {item.name: item for item in graph.initializer}
        self.outputs = frozenset(item.name for item in graph.output)
        self._types = _element_types(model)
        self._producers: Dict[str, int] = {}
        self._readers: Dict[str, List[Edge]] = defaultdict(list)
        for number, node in enumerate(self.nodes):
            self._producers.update((name, number) for name in node.output if name)
            for position, name in enumerate(node.input):
                self._readers[name].append(Edge(number, position))

    def producer(self, tensor: str) -> Optional[int]:
        """The number of the node that makes the tensor; None for graph inputs and initializers."""
        return self._producers.get(tensor)

    def readers(self, tensor: str) -> Tuple[Edge, ...]:
        """Who reads the tensor in the main graph; subgraphs that capture it are not told."""
        return tuple(self._readers.get(tensor, ()))

    def element_type(self, tensor: str) -> Optional[int]:
        """A TensorProto.DataType, or None where it cannot be inferred."""
        return self._types.get(tensor)

    def has_type(self, element_type: int) -> bool:
        """Whether any tensor of the main graph is of that type."""
        return element_type in self._types.values()

    def tensor(self, edge: Edge) -> str:
        return str(self.nodes[edge.node].input[edge.input])


class Names:
    """Hands out names that nothing in the model bears yet."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._taken = _names(model.graph)

    def fresh(self, wanted: str) -> str:
        name, number = wanted, 0
        while name in self._taken:
            number += 1
            name = "{}_{}".format(wanted, number)
        self._taken.add(name)
        return name


def _names(graph: onnx.GraphProto) -> Set[str]:
    taken = {item.name for items in (graph.input, graph.output, graph.value_info) for item in items}
    taken.update(item.name for item in graph.initializer)
    taken.update(item.values.name for item in graph.sparse_initializer)
    for node in graph.node:
        taken.add(node.name)
        taken.update(node.input)
        taken.update(node.output)
        for body in subgraphs(node):
            taken |= _names(body)
    return taken


def _element_types(model: onnx.ModelProto) -> Dict[str, int]:
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise BadModelError("the types in the model contradict each other", cause=str(error)) from error
    types = {item.name: item.data_type for item in graph.initializer}
    for items in (graph.input, graph.output, graph.value_info):
        types.update(
            (item.name, item.type.tensor_type.elem_type) for item in items if item.type.HasField("tensor_type")
        )
    return {name: kind for name, kind in types.items() if kind != onnx.TensorProto.UNDEFINED}
