"""The step `reference-probe`: whether this interpreter has what calibration on the CPU needs, and which releases."""

import platform
from typing import Any, Dict

import onnx
import onnxruntime

from trtfarm_builder.channel import Channel


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:  # noqa: ARG001 - a step's signature
    return {
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
        "python": platform.python_version(),
    }
