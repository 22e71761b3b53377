"""The step `trt-probe`: which TensorRT an interpreter has, and what it can do on this host's GPU."""

import platform
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.driver import NoDriverError, driver_version, gpus
from trtfarm_builder.trt.interfaces import INTERFACES
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.options import PRECISION_FLAGS
from trtfarm_builder.trt.tactics import has_cudnn, set_tactic_sources
from trtfarm_builder.trt.workshop import made

# Compute capabilities from which on a precision is more than emulated, times ten.
_SINCE = {"bf16": 80, "fp8": 89}


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    """Returns tensorrt, python, calibrators, gpus, driver, cudnn (is a whole one there), precisions and lacking.

    Precisions are those that the first GPU can be built for: FP32 and INT8 are tried on a small network, for the rest
    TensorRT is asked. `lacking` says why there is no GPU or no INT8.
    """
    facts = {
        "tensorrt": trt.__version__,
        "python": platform.python_version(),
        "calibrators": [word for word, interface in INTERFACES.items() if hasattr(trt, interface)],
        "cudnn": has_cudnn(),
    }
    try:
        found = gpus()
    except NoDriverError as error:
        return dict(facts, gpus=[], precisions=[], lacking={"gpu": str(error)})
    if not found:
        reason = "the NVIDIA driver shows no GPU (see CUDA_VISIBLE_DEVICES)"
        return dict(facts, gpus=[], precisions=[], lacking={"gpu": reason})
    logger = TrtLogger(Path("probe.log"), channel)
    builder = made(trt.Builder, logger)
    failures = {word: _build(builder, logger, quantized=word == "int8") for word in ("fp32", "int8")}
    lacking = {word: reason for word, reason in failures.items() if reason is not None}
    working = [word for word in failures if word not in lacking]
    others = _others(builder, int(found[0]["compute_capability"][len("sm_") :]))
    return dict(facts, gpus=found, driver=driver_version(), precisions=_listed(working, others), lacking=lacking)


def _listed(working: List[str], others: List[str]) -> List[str]:
    joined = ["int8+" + word for word in others if "int8" in working and word == "fp16"]
    return [*working, *others, *joined]


def _others(builder: Any, compute_capability: int) -> List[str]:
    """Precisions besides FP32 and INT8 that builds may be allowed to use; from 11 on models say their own."""
    flags = trt.BuilderFlag.__members__
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
    factor = network.add_constant(scale.shape, scale).get_output(0)
    # From 10 on the type can be named; before, INT8 is the only one.
    return network.add_dequantize(network.add_quantize(tensor, factor).get_output(0), factor).get_output(0)
