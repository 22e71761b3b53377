"""What a build answers: the plan on disk, and what is in it."""

import time
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping

from trtfarm_builder.failures import StepError
from trtfarm_builder.network_tensors import tensors_of
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.engine import engine_of
from trtfarm_builder.trt.engine_layers import int8_layers, int8_time_share, with_times
from trtfarm_builder.trt.inspection import layers_of
from trtfarm_builder.trt.layer_times import usual_layer_times
from trtfarm_builder.trt.timing_cache import save_timing_cache
from trtfarm_builder.trt.workshop import LOG, Built, Setup, Workshop, made, refused

_ENGINE = "engine.plan"
_NO_INT8 = "no layer of this engine computes in INT8; quantise the model explicitly (Q/DQ) to have it"
# Transformers become one such layer as a whole.
_FUSED = "Myelin"
_UNTOLD = "Q/DQ nodes went into layers that TensorRT compiles as a whole, and it does not say what those compute in"


def answer_of_build(shop: Workshop, setup: Setup, built: Built, begun: float, *, profile: bool) -> Dict[str, Any]:
    """Writes engine and timing cache, and says what the engine inspector sees and, with `profile`, the profiler.

    `size` is in bytes, `seconds` counts from `begun` to the written plan, `build_seconds` are TensorRT's build alone;
    `int8_layers` counts among `layers`, of which `idle` ones only move data, and `int8_share` is their share of those
    that are not. `ms` of a layer and `int8_time_share` are from runs on random numbers of the usual shapes, None where
    the engine could not be run. `warning` says what INT8 was asked for in vain, and the way out. Raises
    ToolchainUnfitError for a plan that cannot be loaded again.
    """
    with Path(_ENGINE).open("wb") as file:
        file.write(built.plan)
    seconds = time.monotonic() - begun
    engine = made(trt.Runtime, shop.logger).deserialize_cuda_engine(built.plan)
    if engine is None:
        raise refused(shop, "load the engine of")
    layers = layers_of(engine)
    times = _layer_times(engine, shop) if profile else {}
    busy = [layer for layer in layers if not layer["idle"]]
    in_int8 = int8_layers(layers)
    warning = None if in_int8 or "int8" not in setup.precision else _why_no_int8(shop, busy)
    if warning:
        shop.channel.log(warning, "warning")
    return {
        "engine": _ENGINE,
        "log": LOG,
        "tensorrt": trt.__version__,
        "size": built.plan.nbytes,
        "seconds": seconds,
        "build_seconds": built.seconds,
        "layers": with_times(layers, times),
        "int8_layers": in_int8,
        "int8_share": in_int8 / len(busy) if busy else 0.0,
        "int8_time_share": int8_time_share(layers, times),
        "warning": warning,
        "io": tensors_of(shop.network),
        "device": current_device(),
        "tactic_sources": setup.sources,
        "timing_cache": save_timing_cache(setup.config),
        "timing_cache_used": setup.warm,
    }


def _why_no_int8(shop: Workshop, layers: Iterable[Mapping[str, Any]]) -> str:
    fused = any(layer["type"] == _FUSED for layer in layers)
    return _UNTOLD if fused and shop.view.quantized else _NO_INT8


def _layer_times(engine: Any, shop: Workshop) -> Dict[str, float]:
    """None at all where the engine cannot be run here: it is built all the same."""
    try:
        return usual_layer_times(engine_of(engine, shop.logger))
    except StepError as error:
        shop.channel.log("the engine's layers could not be timed: {}".format(error), "warning")
        return {}
