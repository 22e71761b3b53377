"""What a weighted node needs for INT8: a scale for each operand computed at run time, and scales of its weights."""

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence

import onnx

from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.graph import Edge, Graph, integer_attributes
from trtfarm_builder.quantization.operators import WEIGHTED
from trtfarm_builder.quantization.weights import Weight, Weights

_OPERANDS = 2


class UnfitError(Exception):
    """A node that has to stay in floating point, and why; `missing` are tensors whose scales would have allowed it."""

    def __init__(self, reason: str, missing: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = tuple(missing)


@dataclass(frozen=True)
class Operand:
    """One input to quantise; `weight` is None for a tensor computed at run time."""

    edge: Edge
    tensor: str
    weight: Optional[Weight]


class Operands:
    """Finds the operands of a model's weighted nodes. `scales` holds those of tensors computed at run time."""

    def __init__(self, graph: Graph, constants: Constants, scales: Mapping[str, float]) -> None:
        self._graph = graph
        self._constants = constants
        self._weights = Weights(constants)
        self._scales = scales

    def of(self, number: int) -> List[Operand]:
        """Both operands of the weighted node `number`. Raises UnfitError where one cannot be quantised."""
        node = self._graph.nodes[number]
        if len(node.input) < _OPERANDS:
            raise UnfitError("it has too few inputs")
        constant = [self._constants.holds(name) for name in node.input[:_OPERANDS]]
        if all(constant):
            raise UnfitError("both operands are constants: it is computed once, when the engine is built")
        if WEIGHTED[node.op_type].fixed_weights and not constant[1]:
            raise UnfitError("its weights are computed at run time")
        edges = [Edge(number, position) for position in range(_OPERANDS)]
        # Run-time operands first: they cost nothing to check, weights have to be read.
        found = self.at_run_time([edge for edge in edges if not constant[edge.input]])
        return found + [self._weight(edge) for edge in edges if constant[edge.input]]

    def at_run_time(self, edges: Sequence[Edge]) -> List[Operand]:
        """The operands at `edges`, computed at run time. Raises UnfitError where one has no scale or is not float32."""
        tensors = [self._graph.tensor(edge) for edge in edges]
        for tensor in tensors:
            kind = self._graph.element_type(tensor)
            if kind is not None and kind != onnx.TensorProto.FLOAT:
                raise UnfitError("its input {} is {}, and Q/DQ takes float32".format(tensor, _type_name(kind)))
        missing = [tensor for tensor in tensors if tensor not in self._scales]
        if missing:
            raise UnfitError("the table has no scale for its input {}".format(" and ".join(missing)), missing)
        return [Operand(edge=edge, tensor=self._graph.tensor(edge), weight=None) for edge in edges]

    def _weight(self, edge: Edge) -> Operand:
        node = self._graph.nodes[edge.node]
        tensor = self._graph.tensor(edge)
        try:
            weight = self._weights.prepare(
                tensor, WEIGHTED[node.op_type].channel_axes[edge.input], integer_attributes(node)
            )
        except ValueError as error:
            raise UnfitError(str(error)) from error
        return Operand(edge=edge, tensor=tensor, weight=weight)


def _type_name(kind: int) -> str:
    return str(onnx.TensorProto.DataType.Name(kind)).lower()
