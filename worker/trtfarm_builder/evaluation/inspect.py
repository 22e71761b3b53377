"""The step `inspect`: whether onnx and ONNX Runtime take a model that nobody vouches for, and what is in it."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Union

import onnx
import onnxruntime

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.node_names import check_node_names
from trtfarm_builder.onnx_files import check_model, parse_model
from trtfarm_builder.quantization.graph import label, nodes_within
from trtfarm_builder.quantization.operators import STANDARD_DOMAINS
from trtfarm_builder.quantization.opset import opset_of
from trtfarm_builder.sessions import open_session

_SHOWN = 5


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model (path). Returns opset, ir_version, nodes (their number, subgraphs included), op_types
    {name: number}, inputs and outputs [{name, dtype, shape}], a free size of a shape being its name or None.

    Raises BadModelError, which says what is unknown, too new or wrong, and where.
    """
    path = Path(args["model"])
    model = parse_model(path)
    _check_versions(model)
    unknown = _unknown_nodes(model)
    _check_operators(unknown, opset_of(model))
    check_model(path)
    check_node_names(model)
    session = _load(path, unknown)
    counts = Counter(node.op_type for node in _all_nodes(model.graph))
    channel.log("{} nodes of {} types".format(sum(counts.values()), len(counts)))
    return {
        "opset": opset_of(model),
        "ir_version": model.ir_version,
        "nodes": sum(counts.values()),
        "op_types": dict(sorted(counts.items())),
        "inputs": [_described(item) for item in session.get_inputs()],
        "outputs": [_described(item) for item in session.get_outputs()],
    }


def _check_versions(model: onnx.ModelProto) -> None:
    """Raises BadModelError where the model is newer than the onnx package."""
    newest = onnx.defs.onnx_opset_version()
    for what, version, known in (("IR version", model.ir_version, onnx.IR_VERSION), ("opset", opset_of(model), newest)):
        if version > known:
            raise BadModelError(
                "the model has {} {}, and {} is the newest that is supported".format(what, version, known),
                cause="it was exported by software newer than onnx {}".format(onnx.__version__),
                remedy="export it with an older opset; 17 suits every TensorRT from 8.5 on",
            )


def _check_operators(unknown: Sequence[onnx.NodeProto], opset: int) -> None:
    """Raises BadModelError where a node in ONNX's own domain is none of its operators."""
    own = [node for node in unknown if node.domain in STANDARD_DOMAINS]
    if own:
        raise _unknown_operators(own, "ONNX has no such operator up to opset {}".format(opset))


def _unknown_nodes(model: onnx.ModelProto) -> List[onnx.NodeProto]:
    """Nodes that are neither operators of the onnx package nor functions of the model."""
    versions = {_domain(item): item.version for item in model.opset_import}
    functions = {(_domain(item), item.name) for item in model.functions}
    nodes = [*_all_nodes(model.graph), *(node for function in model.functions for node in function.node)]
    return [
        node
        for node in nodes
        if (_domain(node), node.op_type) not in functions
        and not onnx.defs.has(node.op_type, versions.get(_domain(node), 1), _domain(node))
    ]


def _domain(item: Union[onnx.NodeProto, onnx.FunctionProto, onnx.OperatorSetIdProto]) -> str:
    return "" if item.domain in STANDARD_DOMAINS else item.domain


def _unknown_operators(nodes: Sequence[onnx.NodeProto], cause: str) -> BadModelError:
    shown = ", ".join(
        "{} of domain {!r} (node {})".format(node.op_type, node.domain or "ai.onnx", label(node))
        for node in nodes[:_SHOWN]
    )
    more = " and {} more".format(len(nodes) - _SHOWN) if len(nodes) > _SHOWN else ""
    return BadModelError(
        "the model has unknown operators: {}{}".format(shown, more),
        cause=cause,
        remedy="export the model with standard ONNX operators only",
    )


def _load(path: Path, unknown: Sequence[onnx.NodeProto]) -> onnxruntime.InferenceSession:
    """A session. Where ONNX Runtime refuses a model with foreign operators, those are named."""
    try:
        return open_session(path.read_bytes(), path.parent)
    except BadModelError as error:
        if unknown:
            raise _unknown_operators(unknown, error.cause or error.message) from error
        raise


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        yield from nodes_within(node)


def _described(item: onnxruntime.NodeArg) -> Dict[str, Any]:
    return {"name": item.name, "dtype": item.type, "shape": list(item.shape)}
