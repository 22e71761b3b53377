"""What a model is, as far as it can be said without running it: interface, operators, weights, files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trtfarm.models.elements import ELEMENT_TYPES
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message
from trtfarm.models.weights import Weight
from trtfarm.models.whole_numbers import NEVER_FLOAT, whole_numbers

#: A dimension: a size, a symbol shared between tensors, or None where nothing is known.
Dimension = int | str | None
#: Domains of the operators that ONNX itself defines; "" is the same as "ai.onnx".
STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: Types of which data could not even be handed in.
_NO_NUMBERS = frozenset({"string", "complex64", "complex128"})
#: Operators that are matrix products, or are made of them.
_PRODUCTS = frozenset({"MatMul", "Gemm", "Einsum", "RNN", "GRU", "LSTM", "Attention"})


@dataclass(frozen=True, kw_only=True)
class TensorType:
    """An input or output: element type (numpy's name where there is one) and dimensions; None: rank unknown."""

    name: str
    dtype: str
    dims: tuple[Dimension, ...] | None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> TensorType:
        """From what `as_dict` gives, as a model's row and the wire have it."""
        dims = facts["dims"]
        return cls(name=facts["name"], dtype=facts["dtype"], dims=None if dims is None else tuple(dims))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"name": self.name, "dtype": self.dtype, "dims": None if self.dims is None else list(self.dims)}

    def __str__(self) -> str:
        dims = "unknown shape" if self.dims is None else "x".join("?" if d is None else str(d) for d in self.dims)
        return f"{self.name} ({self.dtype}, {dims})"


@dataclass(frozen=True, kw_only=True, order=True)
class Operator:
    """An operator type and how many nodes of the graph, its subgraphs and functions use it."""

    domain: str
    name: str
    nodes: int


@dataclass(frozen=True, kw_only=True)
class GraphNode:
    """A node of the main graph; one without a name goes by its first output."""

    label: str
    op_type: str


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """`inputs` leaves out those that initializers give a value."""

    ir_version: int
    opset_imports: tuple[tuple[str, int], ...]
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    nodes: int
    operators: tuple[Operator, ...]
    #: Those of the main graph alone.
    graph_nodes: tuple[GraphNode, ...]
    weights: tuple[Weight, ...]
    #: Names that a calibration table may hold: inputs and the top graph's activations, in the model's order.
    tensors: tuple[str, ...]
    #: Those of them that surely hold whole numbers or truth values, which get no scale.
    whole_numbers: frozenset[str]
    #: Locations of external data, relative to the model's folder.
    external_files: tuple[str, ...]
    #: Fields that this release does not know; they are not in the farm's copy.
    unknown_fields: tuple[str, ...]

    @property
    def matrix_products(self) -> bool:
        """Whether it has any. What is in functions that were not written out may be some, too."""
        return any(operator.name in _PRODUCTS for operator in self.operators)


def summary_of(
    model: Message, weights: Iterable[Weight], external_files: tuple[str, ...], unknown: frozenset[str]
) -> ModelSummary:
    """The summary of a ModelProto; raises MalformedError when it lacks what every model has."""
    graph = model.message("graph")
    if graph is None or model.integer("ir_version") < 1:
        raise MalformedError("it has no graph or no IR version", remedy="hand in a file that an ONNX exporter wrote")
    imports = tuple(
        sorted((entry.text("domain"), entry.integer("version")) for entry in model.messages("opset_import"))
    )
    if not imports:
        raise MalformedError("it does not say which operator set it uses (opset_import)")
    if not graph.messages("node"):
        raise MalformedError("its graph has no nodes, so there is nothing to build")
    inputs = _inputs(graph)
    operators = _operators(model)
    return ModelSummary(
        ir_version=model.integer("ir_version"),
        opset_imports=imports,
        inputs=inputs,
        outputs=tuple(_tensor_type(value) for value in graph.messages("output")),
        nodes=sum(operator.nodes for operator in operators),
        operators=operators,
        graph_nodes=tuple(map(_graph_node, graph.messages("node"))),
        weights=tuple(weights),
        tensors=(tensors := _tensors(graph, inputs)),
        whole_numbers=whole_numbers(graph).intersection(tensors),
        external_files=external_files,
        unknown_fields=tuple(sorted(unknown)),
    )


def _operators(model: Message) -> tuple[Operator, ...]:
    counts = Counter((node.text("domain"), node.text("op_type")) for node in model.nested() if node.type == "NodeProto")
    return tuple(sorted(Operator(domain=domain, name=name, nodes=n) for (domain, name), n in counts.items()))


def _graph_node(node: Message) -> GraphNode:
    op_type = node.text("op_type")
    return GraphNode(label=node.text("name") or next(iter(node.texts("output")), op_type), op_type=op_type)


def _inputs(graph: Message) -> tuple[TensorType, ...]:
    given = {tensor.text("name") for tensor in graph.messages("initializer")}
    given |= {
        values.text("name")
        for sparse in graph.messages("sparse_initializer")
        if (values := sparse.message("values")) is not None
    }
    inputs = tuple(_input(value) for value in graph.messages("input") if value.text("name") not in given)
    if len({tensor.name for tensor in inputs}) != len(inputs):
        raise MalformedError("two of its inputs have the same name")
    if not inputs:
        raise MalformedError("it has no input, so there is nothing to calibrate with")
    return inputs


def _input(value: Message) -> TensorType:
    tensor = _tensor_type(value)
    if tensor.dtype in _NO_NUMBERS:
        raise MalformedError(
            f"its input {tensor.name!r} is of type {tensor.dtype}, which no TensorRT takes",
            remedy="export the part of the model that begins with plain numbers, such as what a tokenizer gives",
        )
    if _is_empty(value):
        raise MalformedError(
            f"its input {tensor.name!r} has a dimension of size 0, so that it holds nothing",
            remedy="export the model with a free dimension there (dynamic_axes, dynamic_shapes)",
        )
    return tensor


def _is_empty(value: Message) -> bool:
    """Whether a size is 0, which native parsers take as it is; in outputs it is what an exporter did not know."""
    return any(
        dim.type == "DimensionProto" and "dim_value" in dim and not dim.integer("dim_value") for dim in value.nested()
    )


def _tensors(graph: Message, inputs: Iterable[TensorType]) -> tuple[str, ...]:
    """Inner tensors have no type without inference, so only operators that never give a float are left out."""
    outputs = (
        name
        for node in graph.messages("node")
        if node.text("op_type") not in NEVER_FLOAT
        for name in node.texts("output")
        if name
    )
    return (*(tensor.name for tensor in inputs if tensor.dtype.startswith("float")), *outputs)


def _tensor_type(value: Message) -> TensorType:
    type_ = value.message("type")
    tensor = type_.message("tensor_type") if type_ is not None else None
    element = ELEMENT_TYPES.get(tensor.integer("elem_type")) if tensor is not None else None
    if tensor is None or element is None:
        raise MalformedError(
            f"{value.text('name')!r} is not a tensor of a known type",
            remedy="export the model with plain tensors as inputs and outputs",
        )
    shape = tensor.message("shape")
    dims = None if shape is None else tuple(_dimension(dim) for dim in shape.messages("dim"))
    return TensorType(name=value.text("name"), dtype=element.name, dims=dims)


def _dimension(dim: Message) -> Dimension:
    """Exporters write 0 (of outputs) or -1 for a size that they do not know."""
    size = dim.integer("dim_value")
    return size if size > 0 else dim.text("dim_param") or None
