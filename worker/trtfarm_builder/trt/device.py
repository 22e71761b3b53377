"""The GPU that this process computes on."""

import functools
from typing import Any, Dict, Optional

from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.driver import NoDriverError, driver_version, gpus


def current_device() -> Dict[str, Any]:
    """The first visible GPU, which TensorRT takes; raises ToolchainUnfitError where there is none."""
    return dict(_first_gpu())


# Starting the driver's management library takes a while, and a process does not change its GPU.
@functools.lru_cache(maxsize=None)
def _first_gpu() -> Dict[str, Any]:
    try:
        found = gpus()
    except NoDriverError as error:
        raise ToolchainUnfitError("there is no usable GPU here", cause=str(error)) from error
    if not found:
        raise ToolchainUnfitError("there is no GPU here", cause="the driver shows none (see CUDA_VISIBLE_DEVICES)")
    return dict(found[0], driver=driver_version())


def device_for(compute_capability: Optional[str]) -> Dict[str, Any]:
    """The same; raises ToolchainUnfitError unless it has the compute capability that an engine was built for.

    TensorRT says little more of such an engine than that it cannot be loaded.
    """
    found = current_device()
    if compute_capability not in (None, found["compute_capability"]):
        raise ToolchainUnfitError(
            "the engine is for {}".format(compute_capability),
            cause="the first visible GPU is {} ({})".format(found["name"], found["compute_capability"]),
            remedy="choose another GPU with CUDA_VISIBLE_DEVICES, or build for {}".format(found["compute_capability"]),
        )
    return found
