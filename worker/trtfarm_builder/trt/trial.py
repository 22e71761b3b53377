"""Which precisions a TensorRT builds for the first GPU, found out by building a convolution."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.options import PRECISION_FLAGS
from trtfarm_builder.trt.tactics import set_tactic_sources
from trtfarm_builder.trt.workshop import made

# Compute capabilities, times ten, from which on GPUs compute in these.
_SINCE = {"bf16": 80, "fp8": 89}


def buildable_precisions(compute_capability: str, channel: Channel) -> Tuple[List[str], Dict[str, str]]:
    """The precisions that can be asked for, and for FP32 and INT8 why not: these two are tried."""
    logger = TrtLogger(Path("probe.log"), channel)
    builder = made(trt.Builder, logger)
    failures = {word: _build(builder, logger, quantized=word == "int8") for word in ("fp32", "int8")}
    lacking = {word: reason for word, reason in failures.items() if reason is not None}
    others = _others(builder, int(compute_capability[len("sm_") :]))
    joined = ["int8+fp16"] if "fp16" in others and "int8" not in lacking else []
    return [*(word for word in failures if word not in lacking), *others, *joined], lacking


def _others(builder: Any, compute_capability: int) -> List[str]:
    """Precisions that builds may be allowed to use besides.

    From 11 on nothing is allowed or not: a model in float16, as the farm makes them, is built as it is.
    """
    flags = trt.BuilderFlag.__members__
    if "FP16" not in flags:
        return ["fp16"]
    words = [word for word in PRECISION_FLAGS if word != "int8" and PRECISION_FLAGS[word][0] in flags]
    fast = getattr(builder, "platform_has_fast_fp16", True)
    return [word for word in words if compute_capability >= _SINCE.get(word, 0) and (fast or word != "fp16")]


def _build(builder: Any, logger: TrtLogger, *, quantized: bool) -> Optional[str]:
    """Builds one convolution; None where that works, else TensorRT's reason."""
    flags = trt.NetworkDefinitionCreationFlag.__members__
    network = builder.create_network(1 << int(flags["EXPLICIT_BATCH"]) if "EXPLICIT_BATCH" in flags else 0)
    config = builder.create_builder_config()
    set_tactic_sources(config, None)
    if quantized and "INT8" in trt.BuilderFlag.__members__:
        config.set_flag(trt.BuilderFlag.INT8)
    weights, scale = np.full((8, 8, 3, 3), 0.5, np.float32), np.full((), 0.01, np.float32)
    data = network.add_input("data", trt.float32, (1, 8, 8, 8))
    if quantized:
        data = _through_int8(network, data, scale)
        kernel = _through_int8(network, network.add_constant(weights.shape, weights).get_output(0), scale)
        convolution = network.add_convolution_nd(data, 8, (3, 3), trt.Weights())
        convolution.set_input(1, kernel)
    else:
        convolution = network.add_convolution_nd(data, 8, (3, 3), weights)
    network.mark_output(convolution.get_output(0))
    plan = builder.build_serialized_network(network, config)
    logger.check()
    return None if plan is not None else logger.last_errors() or "TensorRT did not say why"


def _through_int8(network: Any, tensor: Any, scale: Any) -> Any:
    """The tensor through INT8 and back; INT8 is what every release quantises to unless told otherwise."""
    factor = network.add_constant(scale.shape, scale).get_output(0)
    return network.add_dequantize(network.add_quantize(tensor, factor).get_output(0), factor).get_output(0)
