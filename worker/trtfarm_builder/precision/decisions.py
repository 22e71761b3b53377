"""Which nodes compute in float16, and why the others stay in float32. Changes nothing."""

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable, List, Optional, Set, Tuple

import onnx

from trtfarm_builder.precision.halves import LARGEST, Halves
from trtfarm_builder.precision.operators import KEPT, MOVES, SCALE_INPUT, SCALED
from trtfarm_builder.precision.signatures import Places, UnfitError, float16_places
from trtfarm_builder.quantization.exclusions import Exclusions
from trtfarm_builder.quantization.graph import Graph, label, subgraphs
from trtfarm_builder.quantization.placement import Left

#: Its bounds beyond float16's range bound nothing there, so they may become the largest float16.
_BOUNDING = "Clip"


@dataclass(frozen=True)
class Plan:
    """`halves`: number of a node -> its places that become float16; `made`: the tensors that those nodes make.

    `unbounded` are float32 tensors that may hold values beyond float16's range on purpose, such as the masks of
    attention; they are bounded before they become float16. `left` are nodes that compute in float32.
    """

    halves: Dict[int, Places]
    made: FrozenSet[str]
    unbounded: FrozenSet[str]
    left: Tuple[Left, ...]


def decide(graph: Graph, halves: Halves, exclusions: Exclusions, opset: int) -> Plan:
    """The plan for a model in float32."""
    survey = _Survey(graph, halves, exclusions, opset)
    for number, node in enumerate(graph.nodes):
        survey.consider(number, node)
    return Plan(
        halves=survey.halves,
        made=frozenset(survey.made),
        unbounded=frozenset(survey.unbounded),
        left=tuple(survey.left),
    )


class _OverflowError(UnfitError):
    """A node left in float32 for a constant that float16 cannot hold."""


class _Survey:
    """Goes through the nodes in the order in which they run."""

    def __init__(self, graph: Graph, halves: Halves, exclusions: Exclusions, opset: int) -> None:
        self._graph = graph
        self._stored = halves
        self._exclusions = exclusions
        self._opset = opset
        self.halves: Dict[int, Places] = {}
        self.made: Set[str] = set()
        self.unbounded: Set[str] = set()
        self.left: List[Left] = []

    def consider(self, number: int, node: onnx.NodeProto) -> None:
        if node.op_type == "Constant" or not self._has_floats((*node.input, *node.output)):
            return
        try:
            places = self._places(node)
        except UnfitError as error:
            if self._has_floats(node.output):
                self.left.append(Left(label(node), node.op_type, str(error)))
            if isinstance(error, _OverflowError):
                self.unbounded.update(node.output)
        else:
            if places is not None:
                self.halves[number] = places
                self.made.update(node.output[position] for position in places.outputs)
                return
        if any(name in self.unbounded for name in node.input):
            self.unbounded.update(node.output)

    def _places(self, node: onnx.NodeProto) -> Optional[Places]:
        """The node's places; None where it goes with its input, which is float32. Raises UnfitError."""
        reason = self._exclusions.reason(node) or KEPT.get(node.op_type)
        if reason is not None:
            raise UnfitError(reason)
        if any(True for _ in subgraphs(node)):
            raise UnfitError("it has subgraphs")
        places = float16_places(node, self._graph, self._opset)
        if not self._goes(node, places):
            return None
        self._check_constants(node, places)
        return places

    def _goes(self, node: onnx.NodeProto, places: Places) -> bool:
        """Whether float16 is of use: nodes that do not compute in it take their inputs as they are made."""
        names = [node.input[position] for position in places.inputs]
        computed = [name for name in names if not self._stored.stored(name)]
        if not places.outputs:
            return bool(computed) and all(name in self.made for name in computed)
        return node.op_type not in MOVES or all(name in self.made for name in computed)

    def _check_constants(self, node: onnx.NodeProto, places: Places) -> None:
        if node.op_type == _BOUNDING:
            return
        for position in sorted(places.inputs):
            name = node.input[position]
            if not self._stored.stored(name):
                continue
            if self._stored.overflows(name):
                raise _OverflowError(
                    "its constant {} has values beyond {:.0f}, float16's largest".format(name, LARGEST)
                )
            # Scales of Q/DQ are rounded up, so they never become zero.
            is_scale = node.op_type in SCALED and position == SCALE_INPUT
            if not is_scale and self._stored.vanishes(name):
                raise UnfitError("its constant {} would be zero in float16".format(name))

    def _has_floats(self, names: Iterable[str]) -> bool:
        return any(self._graph.element_type(name) == onnx.TensorProto.FLOAT for name in names)
