"""Tensors whose values are known before the model runs: initializers, Constant nodes, and simple steps from those."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Set

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.quantization.graph import Graph, integer_attributes, is_standard, label

Array = npt.NDArray[np.generic]


def _transpose(node: onnx.NodeProto, values: List[Array]) -> Array:
    order = [list(item.ints) for item in node.attribute if item.name == "perm"]
    return np.ascontiguousarray(np.transpose(values[0], order[0] if order else None))


def _reshape(node: onnx.NodeProto, values: List[Array]) -> Array:
    sizes = [int(size) for size in values[1]]
    if not integer_attributes(node).get("allowzero", 0):
        sizes = [values[0].shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return values[0].reshape(sizes)


def _cast(node: onnx.NodeProto, values: List[Array]) -> Array:
    return values[0].astype(onnx.helper.tensor_dtype_to_np_dtype(integer_attributes(node)["to"]))


#: How exporters store weights in another form than the operator takes them.
FOLDS: Dict[str, Callable[[onnx.NodeProto, List[Array]], Array]] = {
    "Identity": lambda _node, values: values[0],
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Cast": _cast,
}


@dataclass(frozen=True)
class Constant:
    """A tensor known beforehand. `folded` where a node computes it, so that the value is stored nowhere as it is."""

    value: Array
    folded: bool


class Constants:
    """Reads constants one at a time: a model's weights need never be in memory together.

    `folder` is where the model's external data lies; its paths have been checked before the builder sees the model.
    """

    def __init__(self, graph: Graph, folder: Path) -> None:
        self._graph = graph
        self._folder = folder
        self._known: Set[str] = set(graph.initializers)
        for node in graph.nodes:
            if _stored(node) is not None or (_folds(node) and all(name in self._known for name in node.input)):
                self._known.update(node.output)

    def holds(self, tensor: str) -> bool:
        """Whether the tensor's value is known without running the model."""
        return tensor in self._known

    def read(self, tensor: str) -> Constant:
        """The value of a tensor that `holds` is true for. Raises BadModelError where it has none."""
        steps = self._steps_to(tensor)
        values: Dict[str, Array] = {}
        for number in sorted(steps):
            node = self._graph.nodes[number]
            inputs = [values[name] if name in values else self._initializer(name) for name in node.input]
            stored = _stored(node)
            values[node.output[0]] = _folded(node, inputs) if stored is None else self._array(stored)
        if not steps:
            return Constant(self._initializer(tensor), folded=False)
        return Constant(values[tensor], folded=_stored(self._graph.nodes[max(steps)]) is None)

    def _steps_to(self, tensor: str) -> Set[int]:
        """Numbers of the nodes that lead to the tensor; none for an initializer. Nodes are in the order they run."""
        steps: Set[int] = set()
        pending = [tensor]
        while pending:
            number = self._graph.producer(pending.pop())
            if number is not None and number not in steps:
                steps.add(number)
                pending.extend(self._graph.nodes[number].input)
        return steps

    def _initializer(self, name: str) -> Array:
        return self._array(self._graph.initializers[name])

    def _array(self, tensor: onnx.TensorProto) -> Array:
        if uses_external_data(tensor):
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            _load(copy, self._folder)
            tensor = copy
        try:
            return numpy_helper.to_array(tensor)
        except ValueError as error:
            raise BadModelError("the tensor {} is damaged".format(tensor.name), cause=str(error)) from error


def _load(tensor: onnx.TensorProto, folder: Path) -> None:
    try:
        load_external_data_for_tensor(tensor, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise BadModelError("the data of {} cannot be read".format(tensor.name), cause=str(error)) from error


def _folded(node: onnx.NodeProto, values: List[Array]) -> Array:
    try:
        return FOLDS[node.op_type](node, values)
    except (ValueError, IndexError, KeyError) as error:
        raise BadModelError("the node {} has no result".format(label(node)), cause=str(error)) from error


def _folds(node: onnx.NodeProto) -> bool:
    return is_standard(node) and node.op_type in FOLDS


def _stored(node: onnx.NodeProto) -> Optional[onnx.TensorProto]:
    """The tensor that a Constant node holds; None for other nodes, and for sparse or string Constants."""
    if node.op_type != "Constant" or not is_standard(node):
        return None
    for attribute in node.attribute:
        if attribute.name == "value":
            tensor: onnx.TensorProto = attribute.t
            return tensor
        if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
            return numpy_helper.from_array(np.asarray(onnx.helper.get_attribute_value(attribute)))
    return None
