"""The TensorRT module of this interpreter, and the digits that stand for its version in a calibration table."""

import importlib
import os
from typing import Any

from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.driver import begin_context

_WIDE_FROM_MAJOR = 10
# How the driver brings kernels to the GPU: when they are first needed, not every library's thousands at the start.
_LOADING = ("CUDA_MODULE_LOADING", "LAZY")


def _load() -> Any:
    # The driver reads it once, when CUDA begins. What the environment says is somebody's wish.
    os.environ.setdefault(*_LOADING)
    # Either takes the better part of a second, and does not need the other.
    begin_context()
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise ToolchainUnfitError(
            "this interpreter cannot import TensorRT",
            cause="{}: {}".format(type(error).__name__, error),
            remedy="if it names a library, give its folder with --library-path",
        ) from error


def header_digits(version: str) -> str:
    """`8503` for 8.5.3.1 and `100300` for 10.3.0.26, as in NV_TENSORRT_VERSION (NvInferVersion.h)."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    unit = 10_000 if major >= _WIDE_FROM_MAJOR else 1_000
    return str(major * unit + minor * 100 + patch)


trt = _load()
ENGINE_WORD = "tensorrt {}".format(trt.__version__)
