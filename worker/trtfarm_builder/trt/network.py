"""A TensorRT network from an ONNX file."""

from pathlib import Path
from typing import Any, Mapping

from trtfarm_builder.onnx_parser import described, parse, reason_of
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.network_view import Layer, NetworkView, Tensor
from trtfarm_builder.trt.onnx_nodes import node_label


def network_from_onnx(builder: Any, path: Path, logger: TrtLogger, *, strongly_typed: bool = False) -> Any:
    """The parsed network; raises BadModelError with the nodes that the parser stumbled over.

    The parser refers to the model's weights, which stay its own: both come back, and must be kept for the build.
    """
    network = builder.create_network(_creation_flags(strongly_typed=strongly_typed))
    parser = trt.OnnxParser(network, logger)
    software = "TensorRT {}".format(trt.__version__)
    parse(parser, network, path, logger, software=software, describe=lambda error: _described(error, path))
    return network, parser


def _creation_flags(*, strongly_typed: bool) -> int:
    """From 10 on networks have explicit batches anyway; from 11 on all are strongly typed."""
    flags: Mapping[str, Any] = trt.NetworkDefinitionCreationFlag.__members__
    wanted = ["EXPLICIT_BATCH", *(["STRONGLY_TYPED"] if strongly_typed else [])]
    return sum(1 << int(flags[name]) for name in wanted if name in flags)


def _described(error: Any, path: Path) -> str:
    """One parser error; before 10 it tells its node's place in the file's graph only (seen of 8.5)."""
    if hasattr(error, "node_name"):
        return described(error)
    label = node_label(path, error.node())
    return "node {}{}: {}".format(error.node(), label and " " + label, reason_of(error))


def view_of(network: Any) -> NetworkView:
    layers = (network.get_layer(index) for index in range(network.num_layers))
    return NetworkView(
        inputs=tuple(_tensor(network.get_input(index)) for index in range(network.num_inputs)),
        layers=tuple(_layer(index, layer) for index, layer in enumerate(layers)),
        outputs=tuple(network.get_output(index).name for index in range(network.num_outputs)),
    )


def _layer(index: int, layer: Any) -> Layer:
    inputs = [layer.get_input(position) for position in range(layer.num_inputs)]
    outputs = [layer.get_output(position) for position in range(layer.num_outputs)]
    return Layer(
        index=index,
        name=layer.name,
        kind=layer.type.name,
        inputs=tuple("" if tensor is None else tensor.name for tensor in inputs),
        outputs=tuple(_tensor(tensor) for tensor in outputs if tensor is not None),
    )


def _tensor(tensor: Any) -> Tensor:
    try:
        rank = len(tensor.shape)
    # The length of a shape that TensorRT cannot tell is negative.
    except ValueError:
        rank = None
    return Tensor(name=tensor.name, dtype=tensor.dtype.name, rank=rank)


def constant_values(network: Any, index: int) -> Any:
    """The values of the constant layer `index`, as an array."""
    layer = network.get_layer(index)
    if not isinstance(layer, trt.IConstantLayer):
        # Bindings before 10 hand out every layer as its base class.
        layer.__class__ = trt.IConstantLayer
    return layer.weights
