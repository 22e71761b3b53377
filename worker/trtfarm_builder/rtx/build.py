"""The step `rtx-build`: an ONNX model -> an engine for one compute capability, with what is in it."""

import time
from pathlib import Path
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError, BadRequestError
from trtfarm_builder.network_tensors import tensors_of
from trtfarm_builder.rtx.binding import trt
from trtfarm_builder.rtx.layers import int8_layers_of, layers_from_log
from trtfarm_builder.rtx.logger import BuildLogger
from trtfarm_builder.rtx.network import PRECISIONS, network_from_onnx, precision_of
from trtfarm_builder.rtx.plan import add_profile, config_for, plan_from_network

_ENGINE = "engine.plan"
_LOG = "build.log"
#: Everything else in the request is a builder option.
_ARGS = frozenset({"model", "compute_capability", "precision", "profiles", "more_profiles"})
_HAS = {
    "fp32": "has neither Q/DQ nodes nor float16",
    "fp16": "has float16 and no Q/DQ nodes",
    "int8": "has Q/DQ nodes and no float16",
    "int8+fp16": "has Q/DQ nodes and float16",
}


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model, compute_capability (`sm_86`), precision (one of `PRECISIONS`), profiles, more_profiles (a list
    of such), and builder options.

    `size` is in bytes, `seconds` is what parsing and building took; `int8_layers` counts among `layers`.
    """
    begun = time.monotonic()
    logger = BuildLogger(Path(_LOG), channel)
    builder = trt.Builder(logger)
    network = network_from_onnx(builder, Path(args["model"]), logger)
    _check_precision(args["precision"], precision_of(network))
    config = config_for(builder, [args["compute_capability"]], {name: args[name] for name in args if name not in _ARGS})
    for profiles in (args["profiles"], *args.get("more_profiles", ())):
        add_profile(builder, network, config, profiles)
    plan = plan_from_network(builder, network, config, logger, channel)
    with Path(_ENGINE).open("wb") as file:
        file.write(plan)
    layers = layers_from_log(logger.layers)
    int8_layers = int8_layers_of(layers)
    if PRECISIONS[args["precision"]].quantized and not int8_layers:
        # So it is with convolutions on sm_75: they are dequantised first.
        channel.log("no layer of this engine computes in INT8 on {}".format(args["compute_capability"]), "warning")
    return {
        "engine": _ENGINE,
        "log": _LOG,
        "tensorrt": trt.__version__,
        "size": plan.nbytes,
        "seconds": time.monotonic() - begun,
        "layers": layers,
        "int8_layers": int8_layers,
        "io": tensors_of(network),
    }


def _check_precision(wanted: str, found: str) -> None:
    """A strongly typed network is as its nodes say; asking for something else would be ignored in silence."""
    if wanted not in PRECISIONS:
        raise BadRequestError(
            "TensorRT-RTX builds no {!r} here".format(wanted), remedy="use one of: " + ", ".join(PRECISIONS)
        )
    if wanted == found:
        return
    has = _HAS[found]
    raise BadModelError(
        "the model {}, so TensorRT-RTX would build it in {}, not in {}".format(has, found, wanted),
        remedy="ask for {}, or hand in a model that was quantised and converted for {}".format(found, wanted),
    )
