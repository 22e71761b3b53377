"""Carries a plan out: types of nodes, casts between the two types, constants in float16."""

from typing import Any, Callable, Dict, Iterator, List, MutableSequence, Set

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from trtfarm_builder.precision.decisions import Plan
from trtfarm_builder.precision.halves import LARGEST, Halves
from trtfarm_builder.precision.operators import SCALE_INPUT, SCALED
from trtfarm_builder.precision.signatures import Places
from trtfarm_builder.quantization.graph import Names, subgraphs

_FLOAT = onnx.TensorProto.FLOAT
_FLOAT16 = onnx.TensorProto.FLOAT16
_NOWHERE = Places(inputs=frozenset(), outputs=frozenset())


def convert_floats(model: onnx.ModelProto, plan: Plan, halves: Halves) -> None:
    """Changes the model in place; the same model and plan give the same bytes.

    A tensor's own name goes on meaning its float32 value, so that inputs, outputs, and what subgraphs take from
    outside stay as they are; `<name>/float16` is the same in float16. Each comes to be where it is first wanted.
    """
    writer = _Writer(model, plan, halves)
    for number, node in enumerate(model.graph.node):
        writer.add(number, node)
    for item in model.graph.output:
        writer.single(item.name)
    del model.graph.node[:]
    model.graph.node.extend(writer.nodes)
    model.graph.initializer.extend(writer.initializers)
    _drop_unread(model.graph, writer.replaced)
    _drop_stale_types(model.graph)


class _Writer:
    """The new nodes and constants of a graph, written one old node after the other."""

    def __init__(self, model: onnx.ModelProto, plan: Plan, halves: Halves) -> None:
        self._names = Names(model)
        self._plan = plan
        self._halves = halves
        self._half: Dict[str, str] = {}
        self._rounded: Dict[str, str] = {}
        self._single: Set[str] = set()
        self._bounds: List[str] = []
        self.nodes: List[onnx.NodeProto] = []
        self.initializers: List[onnx.TensorProto] = []
        #: Stored tensors that something reads in another form now.
        self.replaced: Set[str] = set()

    def add(self, number: int, old: onnx.NodeProto) -> None:
        """The node with its inputs and outputs in the types that the plan gives them, behind the casts it needs."""
        node = onnx.NodeProto()
        node.CopyFrom(old)
        places = self._plan.halves.get(number, _NOWHERE)
        for position, name in enumerate(old.input):
            scale = old.op_type in SCALED and position == SCALE_INPUT
            if position in places.inputs:
                node.input[position] = self.half(name, scale=scale)
            elif scale and self._halves.stored(name) and not self._halves.overflows(name):
                node.input[position] = self._rounded_scale(name)
            else:
                self.single(name)
        for name in _read_within(old):
            self.single(name)
        for position in places.outputs:
            node.output[position] = self._name_half(old.output[position])
        self.nodes.append(node)

    def single(self, name: str) -> None:
        """Sees to it that the name is there in float32."""
        if name in self._plan.made and name not in self._single:
            self._single.add(name)
            self._cast(self._half[name], name, _FLOAT)

    def half(self, name: str, *, scale: bool = False) -> str:
        """The name of a tensor's float16 form, which is made if it is not there."""
        if name in self._half:
            return self._half[name]
        half = self._name_half(name)
        if self._halves.stored(name):
            self._store(half, self._halves.scale(name) if scale else self._halves.value(name), instead_of=name)
        else:
            self._cast(self._bounded(name) if name in self._plan.unbounded else name, half, _FLOAT16)
        return half

    def _rounded_scale(self, name: str) -> str:
        """A scale that stays float32 has the value of its float16 form: Q and DQ of a pair must not differ."""
        if name not in self._rounded:
            self._rounded[name] = self._names.fresh(name + "/rounded")
            self._store(self._rounded[name], self._halves.scale(name).astype(np.float32), instead_of=name)
        return self._rounded[name]

    def _bounded(self, name: str) -> str:
        if not self._bounds:
            self._bounds = [self._names.fresh("float16/" + word) for word in ("lowest", "highest")]
            for bound, value in zip(self._bounds, (-LARGEST, LARGEST)):
                self.initializers.append(numpy_helper.from_array(np.asarray(value, np.float32), bound))
        result = self._names.fresh(name + "/bounded")
        node = helper.make_node("Clip", [name, *self._bounds], [result], name=self._names.fresh(name + "/Clip"))
        self.nodes.append(node)
        return result

    def _cast(self, source: str, result: str, to: int) -> None:
        name = self._names.fresh(result + "/Cast")
        self.nodes.append(helper.make_node("Cast", [source], [result], name=name, to=to))

    def _store(self, name: str, value: npt.NDArray[np.generic], *, instead_of: str) -> None:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        self.replaced.add(instead_of)

    def _name_half(self, name: str) -> str:
        if name not in self._half:
            self._half[name] = self._names.fresh(name + "/float16")
        return self._half[name]


def _drop_unread(graph: onnx.GraphProto, names: Set[str]) -> None:
    """Takes out the constants among `names` that nothing reads any more."""
    unread = names - _read(graph)
    _drop(graph.node, lambda node: node.op_type == "Constant" and node.output[0] in unread)
    _drop(graph.initializer, lambda item: item.name in unread)
    # Older exporters list constants among the inputs too; without their values they would have to be fed.
    _drop(graph.input, lambda item: item.name in unread)


def _drop_stale_types(graph: onnx.GraphProto) -> None:
    """Takes out the types that the model states for tensors which exist in float16 only."""
    there = {name for node in graph.node for name in node.output}
    _drop(graph.value_info, lambda item: item.name not in there)


def _drop(items: "MutableSequence[Any]", unwanted: Callable[[Any], bool]) -> None:
    for number in reversed(range(len(items))):
        if unwanted(items[number]):
            del items[number]


def _read(graph: onnx.GraphProto) -> Set[str]:
    names = {item.name for item in graph.output}
    for node in graph.node:
        names.update(node.input)
        names.update(_read_within(node))
    return names


def _read_within(node: onnx.NodeProto) -> Iterator[str]:
    """Names that the node's subgraphs read, their own and those from outside."""
    for body in subgraphs(node):
        yield from (item.name for item in body.output)
        for inner in body.node:
            yield from inner.input
            yield from _read_within(inner)
