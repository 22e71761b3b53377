"""The step `trt-probe`: which TensorRT an interpreter has, and what it lacks to be used here."""

import importlib
import platform
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.driver import NoDriverError, gpus

#: The farm's word for a calibrator -> TensorRT's interface; 11.0 has none of them any more.
_CALIBRATORS = {
    "minmax": "IInt8MinMaxCalibrator",
    "entropy2": "IInt8EntropyCalibrator2",
    "entropy": "IInt8EntropyCalibrator",
    "legacy": "IInt8LegacyCalibrator",
}


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    """Imports TensorRT and lists the GPUs; without one, `reason` says why it can neither calibrate nor build."""
    trt = _load()
    facts = {
        "tensorrt": trt.__version__,
        "python": platform.python_version(),
        "calibrators": [word for word, interface in _CALIBRATORS.items() if hasattr(trt, interface)],
    }
    try:
        found = gpus()
    except NoDriverError as error:
        return dict(facts, gpus=[], reason=str(error))
    if not found:
        return dict(facts, gpus=[], reason="the NVIDIA driver shows no GPU (see CUDA_VISIBLE_DEVICES)")
    return dict(facts, gpus=found)


def _load() -> Any:
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise ToolchainUnfitError(
            "this interpreter cannot import TensorRT",
            cause="{}: {}".format(type(error).__name__, error),
            remedy="if it names a library, give its folder with --library-path",
        ) from error
