"""Inputs that are quantised only where it lets INT8 flow on: skip inputs of additions, inputs of average pooling."""

from typing import AbstractSet, Dict, Optional

from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.graph import Edge, Graph, is_standard
from trtfarm_builder.quantization.operators import (
    AVERAGE_POOLING,
    CONVOLUTIONS,
    FOLDS_INTO_CONVOLUTION,
    PASSES_THROUGH,
    WEIGHTED,
)

_TERMS = 2


class Flow:
    """Where INT8 goes, given the inputs that are quantised already."""

    def __init__(self, graph: Graph, constants: Constants, quantized: AbstractSet[Edge]) -> None:
        self._graph = graph
        self._constants = constants
        self._quantized = quantized
        self._depths = _depths(graph)

    def extra_input(self, number: int) -> Optional[Edge]:
        """The input of node `number` to quantise besides those of weighted nodes; None for most nodes.

        Only where the node's result ends in a quantised input: else its consumer wants floating point, and rounding
        the input would cost accuracy and save nothing.
        """
        node = self._graph.nodes[number]
        if not is_standard(node):
            return None
        edge = None
        if node.op_type in AVERAGE_POOLING:
            edge = Edge(number, 0)
        elif node.op_type == "Add":
            edge = self._skip_input(number)
        return edge if edge is not None and self._reaches_int8(node.output[0]) else None

    def _skip_input(self, number: int) -> Optional[Edge]:
        """Of an addition that TensorRT can fuse into an INT8 convolution: the input that is not the convolution.

        With a convolution on both sides the one with fewer weighted nodes behind it is the skip (the projection of a
        residual block), the second on a tie.
        """
        edges = [Edge(number, position) for position in range(_TERMS)]
        tensors = [self._graph.tensor(edge) for edge in edges]
        if tensors[0] == tensors[1] or any(self._constants.holds(tensor) for tensor in tensors):
            return None
        fusable = [self._ends_int8_convolution(tensor) for tensor in tensors]
        if not any(fusable):
            return None
        if all(fusable):
            return edges[0] if self._depth(tensors[0]) < self._depth(tensors[1]) else edges[1]
        return edges[fusable.index(False)]

    def _ends_int8_convolution(self, tensor: str) -> bool:
        """Whether the tensor is the result of a quantised convolution that nobody else reads."""
        while len(self._graph.readers(tensor)) == 1 and tensor not in self._graph.outputs:
            number = self._graph.producer(tensor)
            if number is None:
                return False
            node = self._graph.nodes[number]
            if node.op_type in CONVOLUTIONS:
                return Edge(number, 0) in self._quantized
            if node.op_type not in FOLDS_INTO_CONVOLUTION:
                return False
            tensor = node.input[0]
        return False

    def _reaches_int8(self, tensor: str) -> bool:
        pending, seen = [tensor], {tensor}
        while pending:
            for edge in self._graph.readers(pending.pop()):
                node = self._graph.nodes[edge.node]
                if edge in self._quantized:
                    return True
                if node.op_type in PASSES_THROUGH and is_standard(node):
                    fresh = [name for name in node.output if name not in seen]
                    seen.update(fresh)
                    pending.extend(fresh)
        return False

    def _depth(self, tensor: str) -> int:
        return self._depths.get(tensor, 0)


def _depths(graph: Graph) -> Dict[str, int]:
    """For each tensor that a node makes: how many weighted nodes lie on the longest way to it."""
    depths: Dict[str, int] = {}
    for node in graph.nodes:
        behind = max((depths.get(name, 0) for name in node.input), default=0)
        depths.update((name, behind + (node.op_type in WEIGHTED)) for name in node.output)
    return depths
