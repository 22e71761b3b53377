"""Which tensors of a graph surely hold whole numbers or truth values: they have no range to calibrate.

Inner tensors have no type without inference. What the nodes say is enough for what exporters write of shapes, indices
and masks; what is left undecided counts as floating point.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtfarm.models.elements import ELEMENT_TYPES
from trtfarm.models.messages import Message

#: Operators whose results are constants, indices, sizes or truth values.
NEVER_FLOAT = frozenset(
    {"Constant", "Shape", "Size", "NonZero", "ArgMax", "ArgMin", "Not", "And", "Or", "Xor", "Equal", "Less"}
    | {"LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf"}
)
_MOVES = frozenset(
    {"Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape", "Slice"}
    | {"ScatterElements", "ScatterND", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
_COMPUTES = frozenset(
    {"Abs", "Add", "Clip", "CumSum", "Div", "Max", "Min", "Mod", "Mul", "Neg", "Range", "Sign", "Sub"}
    | {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"}
)
#: Operators whose results have the type of one input -> which one.
_TYPE_OF = dict.fromkeys(_MOVES | _COMPUTES, 0) | {"Where": 1}


def whole_numbers(graph: Message) -> frozenset[str]:
    """Names of a graph's tensors that hold no floating-point numbers. Nodes are read in the order of the file."""
    found = {
        value.text("name")
        for field in ("input", "output", "value_info")
        for value in graph.messages(field)
        if not _is_float(_declared(value))
    }
    found.update(
        tensor.text("name") for tensor in graph.messages("initializer") if not _is_float(tensor.integer("data_type"))
    )
    for node in graph.messages("node"):
        found.update(_results(node, found))
    return frozenset(found)


def _results(node: Message, known: set[str]) -> Iterator[str]:
    """Those of a node's outputs that hold whole numbers, given which of the tensors before it do."""
    op_type, inputs, outputs = node.text("op_type"), node.texts("input"), node.texts("output")
    if op_type == "Cast":
        whole = not _is_float(_attribute(node, "to").integer("i"))
    elif op_type == "Constant":
        attribute = node.message("attribute") or node
        kind = attribute.message("t")
        whole = (
            not _is_float(kind.integer("data_type")) if kind else attribute.text("name") in {"value_int", "value_ints"}
        )
    elif op_type == "ConstantOfShape":
        value = _attribute(node, "value").message("t")
        whole = value is not None and not _is_float(value.integer("data_type"))
    elif op_type == "TopK":
        yield from outputs[1:]
        return
    else:
        place = _TYPE_OF.get(op_type)
        whole = op_type in NEVER_FLOAT or (place is not None and place < len(inputs) and inputs[place] in known)
    if whole:
        yield from outputs


def _attribute(node: Message, name: str) -> Message:
    """An attribute of a node; an empty message where it has none of that name."""
    return next((found for found in node.messages("attribute") if found.text("name") == name), Message(name, {}))


def _declared(value: Message) -> int:
    """The element type that a ValueInfoProto gives; 0 for what is no tensor."""
    type_ = value.message("type")
    tensor = type_.message("tensor_type") if type_ is not None else None
    return tensor.integer("elem_type") if tensor is not None else 0


def _is_float(element: int) -> bool:
    """Whether an element type is one of floating point, or unknown."""
    known = ELEMENT_TYPES.get(element)
    return known is None or "float" in known.name
