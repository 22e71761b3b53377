"""Which inputs and outputs of a node ONNX lets be float16, from the operators' schemas."""

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterator, Optional, Sequence, Set, Tuple

import onnx
from onnx.defs import OpSchema

from trtfarm_builder.quantization.graph import Graph, is_standard

_FLOAT16 = "tensor(float16)"


class UnfitError(Exception):
    """A node that has to stay in float32; the text says why."""


@dataclass(frozen=True)
class Places:
    """Positions of a node's inputs and outputs that are float32 and become float16 together."""

    inputs: FrozenSet[int]
    outputs: FrozenSet[int]


def float16_places(node: onnx.NodeProto, graph: Graph, opset: int) -> Places:
    """The places of `node` that can be float16. Raises UnfitError where ONNX has no such form of the operator.

    A type variable of the schema is converted as a whole or not at all. What is float32 by the operator's definition,
    such as the scales of Resize, stays so, and so do results whose type nothing converted decides.
    """
    schema = _schema(node, opset)
    allowed = {item.type_param_str: _FLOAT16 in item.allowed_type_strs for item in schema.type_constraints}
    inputs = list(_variables(schema.inputs, node.input, graph, allowed))
    outputs = list(_variables(schema.outputs, node.output, graph, allowed))
    converted: Set[str] = {variable for _, variable in inputs if allowed[variable]}
    if not inputs:
        raise UnfitError("it gives float32 whatever goes in")
    if not converted:
        raise UnfitError("ONNX has no {} of float16 in opset {}".format(node.op_type, opset))
    return Places(
        inputs=frozenset(position for position, variable in inputs if variable in converted),
        outputs=frozenset(position for position, variable in outputs if variable in converted),
    )


def _schema(node: onnx.NodeProto, opset: int) -> OpSchema:
    if not is_standard(node):
        raise UnfitError("it is no operator of ONNX's own")
    try:
        return onnx.defs.get_schema(node.op_type, max_inclusive_version=opset, domain="")
    except onnx.defs.SchemaError as error:
        raise UnfitError("ONNX does not know the operator in opset {}".format(opset)) from error


def _variables(
    formal: Sequence[OpSchema.FormalParameter], names: Sequence[str], graph: Graph, allowed: Dict[str, bool]
) -> Iterator[Tuple[int, str]]:
    """(position, type variable) of each tensor that is float32 where the operator takes other types too."""
    for position, name in enumerate(names):
        # The last formal parameter stands for all that follow, where there are more.
        variable = formal[min(position, len(formal) - 1)].type_str
        if not name or variable not in allowed:
            continue
        kind: Optional[int] = graph.element_type(name)
        if kind is None and allowed[variable]:
            raise UnfitError("the type of {} cannot be inferred".format(name))
        if kind == onnx.TensorProto.FLOAT:
            yield position, variable
