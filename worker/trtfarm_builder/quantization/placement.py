"""Which tensors get Q/DQ, for which readers, and why the other nodes stay in floating point. Changes nothing."""

from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

import onnx

from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.exclusions import Exclusions
from trtfarm_builder.quantization.graph import Edge, Graph, is_standard, label, nodes_within
from trtfarm_builder.quantization.operands import Operand, Operands, UnfitError
from trtfarm_builder.quantization.operators import FLOAT_PRODUCTS, WEIGHTED
from trtfarm_builder.quantization.residuals import Flow
from trtfarm_builder.quantization.weights import Weight

_PRODUCTS = FLOAT_PRODUCTS.union(WEIGHTED)


@dataclass(frozen=True)
class Pair:
    """One QuantizeLinear with its DequantizeLinear, and the inputs that read the result instead of the tensor.

    `scale` is that of a tensor computed at run time, `weight` the constant otherwise: one of them is None.
    """

    tensor: str
    scale: Optional[float]
    weight: Optional[Weight]
    readers: Tuple[Edge, ...]


@dataclass(frozen=True)
class Left:
    """A node that multiplies, or could run in INT8 otherwise, and stays in floating point."""

    node: str
    op_type: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """`quantized` are nodes with quantised inputs; `missing` are tensors without a scale that kept a node from INT8."""

    pairs: Tuple[Pair, ...]
    quantized: Tuple[str, ...]
    left: Tuple[Left, ...]
    missing: Tuple[str, ...]


def plan_placement(
    model: onnx.ModelProto,
    graph: Graph,
    constants: Constants,
    scales: Mapping[str, float],
    exclusions: Exclusions,
) -> Plan:
    """The Q/DQ pairs for a model without any, in network order. `scales` is {tensor: amax / 127}."""
    operands = Operands(graph, constants, scales)
    survey = _Survey(graph, exclusions)
    for number, node in enumerate(graph.nodes):
        if node.op_type in WEIGHTED and is_standard(node):
            survey.consider(node, partial(operands.of, number))
        elif node.op_type in FLOAT_PRODUCTS and is_standard(node):
            survey.left.append(Left(label(node), node.op_type, "{} has no INT8 by Q/DQ".format(node.op_type)))
    flow = Flow(graph, constants, survey.edges)
    for number, node in enumerate(graph.nodes):
        extra = flow.extra_input(number)
        if extra is not None:
            survey.consider(node, partial(operands.at_run_time, [extra]))
    return Plan(
        pairs=_pairs(survey.operands, scales),
        quantized=tuple(survey.quantized),
        left=(*survey.left, *_out_of_reach(model)),
        missing=tuple(survey.missing),
    )


class _Survey:
    """Asks node after node for its operands and keeps the answers."""

    def __init__(self, graph: Graph, exclusions: Exclusions) -> None:
        self._graph = graph
        self._exclusions = exclusions
        self.operands: List[Operand] = []
        self.quantized: List[str] = []
        self.left: List[Left] = []
        self.missing: Dict[str, None] = {}

    def consider(self, node: onnx.NodeProto, find: Callable[[], Sequence[Operand]]) -> None:
        try:
            excluded = self._exclusions.reason(node)
            if excluded is not None:
                raise UnfitError(excluded)
            found = find()
        except UnfitError as error:
            self.left.append(Left(label(node), node.op_type, error.reason))
            self.missing.update(dict.fromkeys(error.missing))
            return
        self.operands.extend(found)
        self.quantized.append(label(node))

    @property
    def edges(self) -> FrozenSet[Edge]:
        return frozenset(operand.edge for operand in self.operands)


def _pairs(operands: Sequence[Operand], scales: Mapping[str, float]) -> Tuple[Pair, ...]:
    """One pair for each tensor, or for each tensor and channel axis of weights, in the order of first readers."""
    shared: Dict[Tuple[str, Optional[int]], List[Operand]] = {}
    for operand in sorted(operands, key=lambda operand: (operand.edge.node, operand.edge.input)):
        axis = None if operand.weight is None else operand.weight.axis
        shared.setdefault((operand.tensor, axis), []).append(operand)
    return tuple(
        Pair(
            tensor=tensor,
            scale=scales[tensor] if group[0].weight is None else None,
            weight=group[0].weight,
            readers=tuple(operand.edge for operand in group),
        )
        for (tensor, _axis), group in shared.items()
    )


def _out_of_reach(model: onnx.ModelProto) -> Iterator[Left]:
    """Nodes in subgraphs and functions: they may run many times, or under names that the table does not know."""
    for node in model.graph.node:
        for inner in nodes_within(node):
            if inner.op_type in _PRODUCTS:
                yield Left(label(inner), inner.op_type, "inside a subgraph of {} {}".format(node.op_type, label(node)))
    for function in model.functions:
        for inner in function.node:
            if inner.op_type in _PRODUCTS:
                yield Left(label(inner), inner.op_type, "inside the model's function {}".format(function.name))
