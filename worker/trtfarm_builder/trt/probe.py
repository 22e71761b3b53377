"""The step `trt-probe`: which TensorRT an interpreter has, and what it can do on this host's GPU."""

import platform
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.driver import NoDriverError, driver_version, gpus
from trtfarm_builder.trt.interfaces import INTERFACES
from trtfarm_builder.trt.tactics import has_cudnn


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    """Returns tensorrt, python, calibrators, gpus, driver, cudnn (is a whole one there), precisions and lacking.

    Precisions are those that can be built for the first GPU; `lacking` says why there is no GPU, or no INT8.
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
    # Only now: without a GPU it is enough that TensorRT can be imported.
    from trtfarm_builder.trt.trial import buildable_precisions  # noqa: PLC0415

    precisions, lacking = buildable_precisions(found[0]["compute_capability"], channel)
    return dict(facts, gpus=found, driver=driver_version(), precisions=precisions, lacking=lacking)
