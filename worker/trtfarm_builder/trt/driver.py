"""The GPUs that NVIDIA's driver shows, asked of the driver itself: no CUDA toolkit and no package is needed."""

import ctypes
import threading
import uuid
from typing import Any, Dict, List

_LIBRARY = "libcuda.so.1"
_MANAGEMENT_LIBRARY = "libnvidia-ml.so.1"
# CUresult and CUdevice_attribute in cuda.h.
_NO_DEVICE = 100
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76
_NAME_BYTES = 256
_UUID_BYTES = 16
_VERSION_BYTES = 80


class NoDriverError(Exception):
    """No driver, or none that works; the text says which."""


def gpus() -> List[Dict[str, Any]]:
    """Each visible GPU as {name, uuid, compute_capability: `sm_90`, memory_bytes}; raises NoDriverError."""
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
    identity = ctypes.create_string_buffer(_UUID_BYTES)
    _call(cuda, "cuDeviceGetUuid", identity, device)
    memory = ctypes.c_size_t()
    _call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    return {
        "name": name.value.decode("utf-8", "replace"),
        "uuid": "GPU-{}".format(uuid.UUID(bytes=identity.raw)),
        "compute_capability": "sm_{}{}".format(major, minor),
        "memory_bytes": memory.value,
    }


def begin_context() -> threading.Thread:
    """Has the driver make the CUDA context of the first GPU, in a thread that ends with it.

    The runtime and TensorRT take the same one. Whoever needs it hears why there is none; here nothing is told.
    """
    thread = threading.Thread(target=_retain_context, name="context", daemon=True)
    thread.start()
    return thread


def _retain_context() -> None:
    try:
        cuda = ctypes.CDLL(_LIBRARY)
    except OSError:
        return
    if cuda.cuInit(0) == 0:
        cuda.cuDevicePrimaryCtxRetain(ctypes.byref(ctypes.c_void_p()), 0)


def driver_version() -> str:
    """Such as 580.159.04; empty where the management library does not say."""
    try:
        management = ctypes.CDLL(_MANAGEMENT_LIBRARY)
    except OSError:
        return ""
    version = ctypes.create_string_buffer(_VERSION_BYTES)
    if management.nvmlInit_v2() or management.nvmlSystemGetDriverVersion(version, _VERSION_BYTES):
        return ""
    return version.value.decode("utf-8", "replace")


def _attribute(cuda: Any, device: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int()
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(value), number, device)
    return value.value


def _call(cuda: Any, function: str, *args: Any) -> None:
    code = getattr(cuda, function)(*args)
    if code:
        told = "{} of {} failed with CUDA error {}{}".format(function, _LIBRARY, code, _meaning(cuda, code))
        raise NoDriverError(told)


def _meaning(cuda: Any, code: int) -> str:
    """What the driver calls an error: of 803, for one, that parts of it are of different versions."""
    text = ctypes.c_char_p()
    if cuda.cuGetErrorString(code, ctypes.byref(text)) or text.value is None:
        return ""
    return ": " + text.value.decode("utf-8", "replace")
