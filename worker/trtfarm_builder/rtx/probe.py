"""The step `rtx-probe`: what this TensorRT-RTX can build, found out by building it."""

import platform
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.rtx.binding import COMPUTE_CAPABILITIES, trt
from trtfarm_builder.rtx.layers import int8_layers_of, layers_from_log
from trtfarm_builder.rtx.logger import BuildLogger
from trtfarm_builder.rtx.network import PRECISIONS
from trtfarm_builder.rtx.plan import config_for, plan_from_network


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    """Builds a convolution and a matrix product in each precision, for each compute capability on its own.

    Returns tensorrt, python, compute_capabilities, precisions {word: {compute capability: None, or why not}}, and
    without_products {word: {compute capability: why only models without a matrix product}}: 1.6 fails on every INT8
    convolution, and 1.7 has no matrix product in FP32 for sm_75. Raises ToolchainUnfitError where nothing can be built
    at all.
    """
    targets = sorted(COMPUTE_CAPABILITIES, key=lambda name: int(name[len("sm_") :]))
    found: Dict[str, Dict[str, Optional[str]]] = {word: {} for word in PRECISIONS}
    without_products: Dict[str, Dict[str, str]] = {word: {} for word in PRECISIONS}
    for word, reasons in found.items():
        for target in targets:
            reasons[target] = reason = _failure(channel, word, target)
            if reason is not None and _failure(channel, word, target, products=False) is None:
                without_products[word][target] = reason
                reasons[target] = None
    failures = [reason for reasons in found.values() for reason in reasons.values()]
    if None not in failures:
        raise ToolchainUnfitError("TensorRT-RTX {} builds nothing here".format(trt.__version__), cause=failures[0])
    return {
        "tensorrt": trt.__version__,
        "python": platform.python_version(),
        "compute_capabilities": targets,
        "precisions": found,
        "without_products": without_products,
    }


def _failure(channel: Channel, precision: str, target: str, *, products: bool = True) -> Optional[str]:
    """Why that cannot be built, with a matrix product or without; None where it can."""
    logger = BuildLogger(Path("{}-{}.log".format(precision, target)), channel)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _Layers(network, precision).add_all(products=products)
    try:
        plan_from_network(builder, network, config_for(builder, [target], {}), logger, channel)
    except ToolchainUnfitError as error:
        return error.cause
    if PRECISIONS[precision].quantized and not int8_layers_of(layers_from_log(logger.layers)):
        return "nothing computes in INT8 there"
    return None


class _Layers:
    """A convolution, with a matrix product behind it or without, in one precision; input and output are float32."""

    def __init__(self, network: Any, precision: str) -> None:
        self._network = network
        self._quantized = PRECISIONS[precision].quantized
        self._float16 = PRECISIONS[precision].float16
        # TensorRT does not copy them: they have to live until the network is built.
        self._values: List[Any] = []

    def add_all(self, *, products: bool) -> None:
        network = self._network
        data = self._cast(network.add_input("data", trt.float32, (1, 8, 8, 8)), trt.float16)
        convolution = network.add_convolution_nd(self._operand(data), 8, (3, 3), trt.Weights())
        convolution.set_input(1, self._operand(self._constant((8, 8, 3, 3))))
        result = convolution.get_output(0)
        if products:
            left, right = self._operand(result), self._operand(self._constant((1, 8, 6, 8)))
            none = trt.MatrixOperation.NONE
            result = network.add_matrix_multiply(left, none, right, none).get_output(0)
        network.mark_output(self._cast(result, trt.float32))

    def _cast(self, tensor: Any, dtype: Any) -> Any:
        return self._network.add_cast(tensor, dtype).get_output(0) if self._float16 else tensor

    def _operand(self, tensor: Any) -> Any:
        """The tensor, through INT8 and back where the precision says so."""
        if not self._quantized:
            return tensor
        scale = self._constant(())
        quantized = self._network.add_quantize(tensor, scale, trt.int8).get_output(0)
        return self._network.add_dequantize(quantized, scale, tensor.dtype).get_output(0)

    def _constant(self, shape: Tuple[int, ...]) -> Any:
        value = np.full(shape, 0.5, np.float16 if self._float16 else np.float32)
        self._values.append(value)
        return self._network.add_constant(shape, value).get_output(0)
