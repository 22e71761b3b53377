"""The GPU that this process computes on."""

from typing import Any, Dict

from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.driver import NoDriverError, driver_version, gpus


def current_device() -> Dict[str, Any]:
    """The first visible GPU, which TensorRT takes; raises ToolchainUnfitError where there is none."""
    try:
        found = gpus()
    except NoDriverError as error:
        raise ToolchainUnfitError("there is no usable GPU here", cause=str(error)) from error
    if not found:
        raise ToolchainUnfitError("there is no GPU here", cause="the driver shows none (see CUDA_VISIBLE_DEVICES)")
    return dict(found[0], driver=driver_version())
