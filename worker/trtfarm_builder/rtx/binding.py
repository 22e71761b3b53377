"""The TensorRT-RTX module, under whichever of its names the installed release has it."""

import importlib
from typing import Any

from trtfarm_builder.failures import ToolchainUnfitError


def _load() -> Any:
    try:
        return importlib.import_module("tensorrt_rtx")
    except ModuleNotFoundError as error:
        if error.name != "tensorrt_rtx":
            raise _unfit(error) from error
    except (ImportError, OSError) as error:
        raise _unfit(error) from error
    try:
        importlib.import_module("tensorrt_rtx_libs")
        return importlib.import_module("tensorrt_rtx_bindings")
    except (ImportError, OSError) as error:
        raise _unfit(error) from error


def _unfit(error: Exception) -> ToolchainUnfitError:
    return ToolchainUnfitError(
        "this interpreter cannot import TensorRT-RTX",
        cause="{}: {}".format(type(error).__name__, error),
        remedy="install one with: trtfarm toolchain install tensorrt-rtx",
    )


trt = _load()
#: `SM86` in TensorRT-RTX's enum is `sm_86` in the farm.
COMPUTE_CAPABILITIES = {
    name.lower().replace("sm", "sm_"): value
    for name, value in trt.ComputeCapability.__members__.items()
    if name.startswith("SM")
}
