"""The ONNX model as the calibrator sees it: its float tensors in order, and models cut out of it that output some."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, Optional, Sequence, Set, Tuple

import onnx

from trtfarm_builder.node_names import check_node_names
from trtfarm_builder.onnx_files import parse_model
from trtfarm_builder.quantization.present import check_not_quantized
from trtfarm_builder.reference.products import with_products
from trtfarm_builder.sessions import open_session

#: ONNX Runtime's words for the types whose tensors have a dynamic range, and NumPy's.
_READABLE = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
_STANDARD = ("", "ai.onnx")
_UNREADABLE = ("bfloat16", "float8", "float4")


@dataclass(frozen=True)
class Tensor:
    """A float tensor; `rank` is None where shape inference does not know it."""

    name: str
    dtype: str
    rank: Optional[int]


@dataclass(frozen=True)
class Input:
    """A graph input; a size of the shape is None where it is free. `dtype` is ONNX Runtime's word."""

    name: str
    dtype: str
    shape: Tuple[Optional[int], ...]


@dataclass(frozen=True)
class Network:
    """A loaded model.

    `stem` is the serialized model without nodes and outputs, `nodes` are the file's with each Gemm split as in
    `with_products`, `digest` is the SHA-256 of the file (without external data), `declared` are the graph outputs.
    `tensors` are the top-level float tensors in network order, inputs first, outputs
    of Constant nodes left out (TensorRT gives constants names of its own); `unreadable` are those of float types that
    NumPy lacks.
    """

    stem: bytes
    digest: str
    nodes: Tuple[onnx.NodeProto, ...]
    declared: Dict[str, onnx.ValueInfoProto]
    folder: Path
    inputs: Tuple[Input, ...]
    tensors: Dict[str, Tensor]
    unreadable: Tuple[str, ...]

    @property
    def float_outputs(self) -> Tuple[str, ...]:
        return tuple(name for name in self.declared if name in self.tensors)

    def cut(self, outputs: Sequence[str], more: Sequence[onnx.NodeProto] = ()) -> bytes:
        """A serialized model with these outputs and the nodes they need; `more` are nodes to add at the end."""
        return _join(self.stem, (*self.nodes, *more), [self.declared.get(o) or _untyped(o) for o in outputs])


def load_network(path: Path) -> Network:
    """The network of a model file. Raises BadModelError where it is none, has Q/DQ, or ONNX Runtime cannot load it."""
    model = parse_model(path)
    check_not_quantized(model)
    check_node_names(model)
    opset = max((item.version for item in model.opset_import if item.domain in _STANDARD), default=0)
    nodes = tuple(with_products(model.graph.node, opset))
    declared = {output.name: output for output in model.graph.output}
    del model.graph.node[:], model.graph.output[:]
    stem = model.SerializeToString()
    names = [name for node in nodes if node.op_type != "Constant" for name in node.output if name]
    session = open_session(_join(stem, nodes, [declared.get(name) or _untyped(name) for name in names]), path.parent)
    known = {value.name: value for value in (*session.get_inputs(), *session.get_outputs())}
    return Network(
        stem=stem,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        nodes=nodes,
        declared=declared,
        folder=path.parent,
        inputs=tuple(
            Input(i.name, i.type, tuple(size if isinstance(size, int) else None for size in i.shape))
            for i in session.get_inputs()
        ),
        tensors={
            name: Tensor(name, _READABLE[value.type], len(value.shape) or None)
            for name, value in known.items()
            if value.type in _READABLE
        },
        unreadable=tuple(name for name, value in known.items() if any(word in value.type for word in _UNREADABLE)),
    )


def _untyped(name: str) -> onnx.ValueInfoProto:
    """An output whose type is left to ONNX Runtime's inference."""
    return onnx.ValueInfoProto(name=name)


def _join(stem: bytes, nodes: Sequence[onnx.NodeProto], outputs: Sequence[onnx.ValueInfoProto]) -> bytes:
    """The stem with nodes and outputs.

    Concatenated protobuf messages are parsed as one, lists appended, so the weights in the stem are never copied as
    Python objects.
    """
    kept = _needed(nodes, {output.name for output in outputs})
    rest: bytes = onnx.ModelProto(graph=onnx.GraphProto(node=kept, output=outputs)).SerializeToString()
    return stem + rest


def _needed(nodes: Sequence[onnx.NodeProto], names: Set[str]) -> Sequence[onnx.NodeProto]:
    """The nodes that the named tensors are computed from, in order."""
    wanted = set(names)
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_reads(node))
    return kept[::-1]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names a node reads, those that its subgraphs take from outside included (and some of their own)."""
    yield from node.input
    for attribute in node.attribute:
        for graph in _graphs(attribute):
            for inner in graph.node:
                yield from _reads(inner)
            yield from (output.name for output in graph.output)


def _graphs(attribute: onnx.AttributeProto) -> Iterable[onnx.GraphProto]:
    return [attribute.g, *attribute.graphs] if attribute.type in _GRAPH_TYPES else []


_GRAPH_TYPES = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
