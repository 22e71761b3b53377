"""A TensorRT network from an ONNX file."""

from pathlib import Path
from typing import Any, Dict, List

from trtfarm_builder.datatypes import numpy_word
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.rtx.binding import trt
from trtfarm_builder.rtx.logger import BuildLogger

_ERRORS_SHOWN = 5


def network_from_onnx(builder: Any, path: Path, logger: BuildLogger) -> Any:
    """The parsed, strongly typed network; raises BadModelError with the nodes that the parser stumbled over."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse_from_file(str(path))
    logger.check()
    if not parsed:
        errors = [parser.get_error(index) for index in range(min(parser.num_errors, _ERRORS_SHOWN))]
        raise BadModelError(
            "TensorRT-RTX cannot parse the model",
            cause="\n".join(map(_describe, errors)) or logger.last_errors(),
            remedy="export the model without these nodes, or with another opset",
        )
    if network.num_outputs == 0:
        raise BadModelError("the model has no outputs")
    return network


def _describe(error: Any) -> str:
    name, operator = error.node_name(), error.node_operator()
    where = "node {!r} ({}): ".format(name, operator) if name or operator else ""
    return where + str(error.desc())


def is_quantized(network: Any) -> bool:
    """Whether the network has Q/DQ nodes, which make a strongly typed one compute in INT8."""
    return any(network.get_layer(index).type == trt.LayerType.QUANTIZE for index in range(network.num_layers))


def tensors_of(network: Any) -> List[Dict[str, Any]]:
    """Inputs and outputs as {name, mode, dtype, shape}; -1 is a free dimension."""
    inputs = [(network.get_input(index), "input") for index in range(network.num_inputs)]
    outputs = [(network.get_output(index), "output") for index in range(network.num_outputs)]
    return [
        {"name": tensor.name, "mode": mode, "dtype": numpy_word(tensor.dtype.name), "shape": list(tensor.shape)}
        for tensor, mode in inputs + outputs
    ]
