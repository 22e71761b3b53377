"""NumPy's types for TensorRT's; `tensorrt.nptype` of 8.5 fails on NumPy 1.24 and newer."""

from typing import Any, Dict

import numpy as np

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.trt.binding import trt

#: TensorRT's word -> NumPy's type. What NumPy lacks (BF16, FP8, …) is not here.
_DTYPES = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}
#: The farm's word for a precision -> TensorRT's data type.
_PRECISIONS = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16", "int8": "INT8", "int32": "INT32", "fp8": "FP8"}


def numpy_dtype(name: str, dtype: Any) -> "np.dtype[Any]":
    """The NumPy type of tensor `name`; raises BadModelError for a type that arrays cannot hold."""
    if dtype.name not in _DTYPES:
        raise BadModelError(
            "tensor {!r} is of type {}, which arrays cannot hold".format(name, dtype.name),
            remedy="give the model inputs and outputs of float32, float16 or integers",
        )
    return np.dtype(_DTYPES[dtype.name])


def data_type(word: str) -> Any:
    """TensorRT's data type for a precision's word; None where this version has none."""
    types: Dict[str, Any] = trt.DataType.__members__
    return types.get(_PRECISIONS.get(word, ""))
