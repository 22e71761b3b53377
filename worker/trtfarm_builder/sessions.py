"""ONNX Runtime sessions on the CPU, with its errors turned into ours."""

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from trtfarm_builder.failures import BadDataError, BadModelError

_ERROR_NAMES = (
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
)
#: Everything ONNX Runtime raises on its own; releases differ in which of these exist. RuntimeError and ValueError come
#: from its Python layer.
ORT_ERRORS = (
    *(getattr(native, name) for name in _ERROR_NAMES if hasattr(native, name)),
    RuntimeError,
    ValueError,
)

_ERRORS_ONLY = 3
# The external data of a model that is loaded from bytes lies here.
_FOLDER_KEY = "session.model_external_initializers_file_folder_path"


def engine() -> str:
    """Name and version of what computes the activations."""
    return "onnxruntime {}".format(onnxruntime.__version__)


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def open_session(model: bytes, folder: Path, *, threads: Optional[int] = None) -> onnxruntime.InferenceSession:
    """A session of the serialized model just as it is written, with no graph optimisation.

    `folder` holds the model's external data; `threads` is all usable cores if not given. Raises BadModelError with ONNX
    Runtime's reason.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads or usable_cores()
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin while they wait would take the cores that the histograms need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(_FOLDER_KEY, str(folder))
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise BadModelError(
            "ONNX Runtime cannot load the model",
            cause=str(error),
            remedy="see whether the model runs in ONNX Runtime where it was exported",
        ) from error


def run_session(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]
) -> Dict[str, NDArray[Any]]:
    """Output arrays by name. Raises BadDataError with ONNX Runtime's reason, which names the node; MemoryError."""
    try:
        values: List[NDArray[Any]] = session.run(list(outputs), dict(feeds))
    except ORT_ERRORS as error:
        if "Failed to allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise BadDataError(
            "the model fails on these samples",
            cause=str(error),
            remedy="check shapes and values against what the model expects; some models take one batch size only",
        ) from error
    return dict(zip(outputs, values))
