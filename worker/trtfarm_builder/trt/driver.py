"""The GPUs that NVIDIA's driver shows, asked of the driver itself: no CUDA toolkit and no package is needed."""

import ctypes
from typing import Any, Dict, List

_LIBRARY = "libcuda.so.1"
# CUresult and CUdevice_attribute in cuda.h.
_NO_DEVICE = 100
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76
_NAME_BYTES = 256


class NoDriverError(Exception):
    """No driver, or none that works; the text says which."""


def gpus() -> List[Dict[str, Any]]:
    """Each visible GPU as {name, compute_capability: `sm_90`}; raises NoDriverError."""
    try:
        cuda = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NoDriverError("no NVIDIA driver here: {}".format(error)) from error
    # With no GPU to show, cuInit already fails.
    if cuda.cuInit(0) == _NO_DEVICE:
        return []
    _call(cuda, "cuInit", 0)
    count = ctypes.c_int()
    _call(cuda, "cuDeviceGetCount", ctypes.byref(count))
    return [_gpu(cuda, index) for index in range(count.value)]


def _gpu(cuda: Any, index: int) -> Dict[str, Any]:
    device = ctypes.c_int()
    _call(cuda, "cuDeviceGet", ctypes.byref(device), index)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call(cuda, "cuDeviceGetName", name, _NAME_BYTES, device)
    major, minor = (
        _attribute(cuda, device, number) for number in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR)
    )
    return {"name": name.value.decode("utf-8", "replace"), "compute_capability": "sm_{}{}".format(major, minor)}


def _attribute(cuda: Any, device: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int()
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(value), number, device)
    return value.value


def _call(cuda: Any, function: str, *args: Any) -> None:
    code = getattr(cuda, function)(*args)
    if code:
        raise NoDriverError("{} of {} failed with CUDA error {}".format(function, _LIBRARY, code))
