"""A TensorRT network from an ONNX file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtfarm_builder.onnx_parser import parse
from trtfarm_builder.rtx.binding import trt
from trtfarm_builder.rtx.logger import BuildLogger


@dataclass(frozen=True)
class Precision:
    """Whether a network has Q/DQ nodes, and whether any of its tensors are float16."""

    quantized: bool
    float16: bool


#: What can be asked for. INT8 runs where Q/DQ nodes are; float16 where the ONNX says so.
PRECISIONS = {
    "fp32": Precision(quantized=False, float16=False),
    "fp16": Precision(quantized=False, float16=True),
    "int8": Precision(quantized=True, float16=False),
    "int8+fp16": Precision(quantized=True, float16=True),
}


def network_from_onnx(builder: Any, path: Path, logger: BuildLogger) -> Any:
    """The parsed, strongly typed network; raises BadModelError with the nodes that the parser stumbled over."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parse(parser, network, path, logger, software="TensorRT-RTX")
    return network


def precision_of(network: Any) -> str:
    """The word for what a strongly typed network computes in: that is said by its nodes, and by nothing else."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    outputs = (layer.get_output(number) for layer in layers for number in range(layer.num_outputs))
    found = Precision(
        quantized=any(layer.type == trt.LayerType.QUANTIZE for layer in layers),
        float16=any(tensor.dtype == trt.float16 for tensor in outputs),
    )
    return next(word for word, precision in PRECISIONS.items() if precision == found)
