"""The step `rtx-probe`: what this TensorRT-RTX can build, found out by building it."""

import platform
from pathlib import Path
from typing import Any, Dict

import numpy as np

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.rtx.binding import COMPUTE_CAPABILITIES, trt
from trtfarm_builder.rtx.logger import BuildLogger
from trtfarm_builder.rtx.plan import config_for, plan_from_network


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    """Builds a small convolution in FP32, then in INT8, for all compute capabilities at once.

    Some releases fail on any INT8 convolution with an error of their compiler; `reason` then says which.
    Raises ToolchainUnfitError when not even FP32 can be built.
    """
    logger = BuildLogger(Path("probe.log"), channel)
    _build(logger, channel, quantized=False)
    facts = {
        "tensorrt": trt.__version__,
        "python": platform.python_version(),
        "compute_capabilities": sorted(COMPUTE_CAPABILITIES, key=lambda name: int(name[len("sm_") :])),
    }
    try:
        _build(logger, channel, quantized=True)
    except ToolchainUnfitError as error:
        return dict(facts, int8=False, reason=error.cause)
    return dict(facts, int8=True)


def _build(logger: BuildLogger, channel: Channel, *, quantized: bool) -> None:
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    weights = np.full((8, 3, 3, 3), 0.5, dtype=np.float32)
    scale = np.full((), 0.01, dtype=np.float32)
    data = network.add_input("data", trt.float32, (1, 3, 8, 8))
    if quantized:
        data = _quantized(network, data, scale)
        kernel = _quantized(network, _constant(network, weights), scale)
        convolution = network.add_convolution_nd(data, 8, (3, 3), trt.Weights())
        convolution.set_input(1, kernel)
    else:
        convolution = network.add_convolution_nd(data, 8, (3, 3), weights)
    network.mark_output(convolution.get_output(0))
    config = config_for(builder, list(COMPUTE_CAPABILITIES), {})
    plan_from_network(builder, network, config, logger, channel)


def _constant(network: Any, values: Any) -> Any:
    return network.add_constant(values.shape, values).get_output(0)


def _quantized(network: Any, tensor: Any, scale: Any) -> Any:
    """The tensor through INT8 and back."""
    factor = _constant(network, scale)
    quantized = network.add_quantize(tensor, factor, trt.int8).get_output(0)
    return network.add_dequantize(quantized, factor, trt.float32).get_output(0)
