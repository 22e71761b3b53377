"""Names of nodes: ONNX's checker lets several have one, ONNX Runtime does not."""

from collections import Counter
from typing import Iterator, Sequence

import onnx

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.quantization.graph import subgraphs

_SHOWN = 5


def check_node_names(model: onnx.ModelProto) -> None:
    """Raises BadModelError where a name is that of several nodes of the same graph, subgraph or function.

    Nodes without a name may be many.
    """
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for scope in _scopes(nodes):
            counts = Counter(node.name for node in scope if node.name)
            shared = [name for name, count in counts.items() if count > 1]
            if shared:
                raise _shared(shared, counts)


def _scopes(nodes: Sequence[onnx.NodeProto]) -> Iterator[Sequence[onnx.NodeProto]]:
    yield nodes
    for node in nodes:
        for body in subgraphs(node):
            yield from _scopes(body.node)


def _shared(names: Sequence[str], counts: "Counter[str]") -> BadModelError:
    told = ", ".join("{!r} is the name of {} nodes".format(name, counts[name]) for name in names[:_SHOWN])
    more = ", and {} more names are shared".format(len(names) - _SHOWN) if len(names) > _SHOWN else ""
    return BadModelError(
        "{}{}".format(told, more),
        cause="ONNX Runtime, which calibrates and measures, runs no such model",
        remedy="give each a name of its own, or none: for node in model.graph.node: node.name = ''",
    )
