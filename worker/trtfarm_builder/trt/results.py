"""What a build answers: the plan on disk, and what is in it."""

import time
from pathlib import Path
from typing import Any, Dict, List

from trtfarm_builder.network_tensors import tensors_of
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.engine_layers import int8_layers
from trtfarm_builder.trt.inspection import layers_of
from trtfarm_builder.trt.timing_cache import save_timing_cache
from trtfarm_builder.trt.workshop import LOG, Built, Workshop, made, refused

_ENGINE = "engine.plan"


def answer_of_build(
    shop: Workshop, config: Any, built: Built, begun: float, *, precision: str, sources: List[str], warm: bool
) -> Dict[str, Any]:
    """Writes engine and timing cache, and says what the engine inspector sees.

    `size` is in bytes, `seconds` counts from `begun` to the written plan, `build_seconds` are TensorRT's build alone;
    `int8_layers` counts among `layers`, of which `idle` ones only move data. Raises ToolchainUnfitError for a plan
    that cannot be loaded again.
    """
    with Path(_ENGINE).open("wb") as file:
        file.write(built.plan)
    seconds = time.monotonic() - begun
    engine = made(trt.Runtime, shop.logger).deserialize_cuda_engine(built.plan)
    if engine is None:
        raise refused(shop, "load the engine of")
    layers = layers_of(engine)
    busy = [layer for layer in layers if not layer["idle"]]
    in_int8 = int8_layers(layers)
    if "int8" in precision and not in_int8:
        shop.channel.log(
            "no layer of this engine computes in INT8; quantise the model explicitly (Q/DQ) to have it", "warning"
        )
    return {
        "engine": _ENGINE,
        "log": LOG,
        "tensorrt": trt.__version__,
        "size": built.plan.nbytes,
        "seconds": seconds,
        "build_seconds": built.seconds,
        "layers": layers,
        "int8_layers": in_int8,
        "int8_share": in_int8 / len(busy) if busy else 0.0,
        "io": tensors_of(shop.network),
        "device": current_device(),
        "tactic_sources": sources,
        "timing_cache": save_timing_cache(config),
        "timing_cache_used": warm,
    }
