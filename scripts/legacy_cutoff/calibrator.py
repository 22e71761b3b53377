"""A legacy calibrator that keeps tables and histogram caches, and can hand the latter over.

The binding has no way to give a histogram's length to TensorRT. For that one method the object's table of virtual
functions is replaced by a copy whose entry points to a function made with ctypes (Itanium C++ ABI; the order of
entries is that of NvInfer.h 8.5: IInt8Calibrator has seven, then getQuantile, getRegressionCutoff,
readHistogramCache, writeHistogramCache).
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from trtfarm_builder.trt.gpu import call, runtime

_ENTRIES = 11
_READ_HISTOGRAM = 9
_READER = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t))

Batch = dict[str, NDArray[np.float32]]


class DeviceBatches:
    """All batches, copied to the GPU once; kept until the process ends."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.addresses: list[dict[str, int]] = []
        for batch in batches:
            self.addresses.append({name: _copied(array) for name, array in batch.items()})


def _copied(array: NDArray[np.float32]) -> int:
    array = np.ascontiguousarray(array)
    address = int(call("cudaMalloc", array.nbytes))
    call("cudaMemcpy", address, array.ctypes.data, array.nbytes, runtime.cudaMemcpyKind.cudaMemcpyHostToDevice)
    return address


class Recorder(trt.IInt8LegacyCalibrator):  # type: ignore[misc]  # the bindings have no types
    def __init__(self, batches: DeviceBatches, batch_size: int, quantile: float, cutoff: float) -> None:
        trt.IInt8LegacyCalibrator.__init__(self)
        self._batches = batches
        self._batch_size = batch_size
        self._quantile = quantile
        self._cutoff = cutoff
        self._kept: list[Any] = []
        self.given = 0
        self.calls: list[str] = []
        self.table: bytes | None = None
        self.histogram: bytes | None = None
        self.keep_histogram = False

    def get_batch_size(self) -> int:
        return self._batch_size

    def get_quantile(self) -> float:
        return self._quantile

    def get_regression_cutoff(self) -> float:
        return self._cutoff

    def get_batch(self, names: list[str]) -> list[int] | None:
        if self.given == len(self._batches.addresses):
            return None
        addresses = self._batches.addresses[self.given]
        self.given += 1
        return [addresses[name] for name in names]

    def read_calibration_cache(self) -> None:
        self.calls.append("read_calibration_cache")

    def write_calibration_cache(self, cache: Any) -> None:
        self.calls.append("write_calibration_cache")
        self.table = bytes(cache)

    def read_histogram_cache(self, *_: Any) -> None:
        self.calls.append("read_histogram_cache")

    def write_histogram_cache(self, *args: Any) -> None:
        self.calls.append("write_histogram_cache")
        if self.keep_histogram and len(args) > 1 and args[0] is not None:
            self.histogram = ctypes.string_at(_address_of(args[0]), int(args[1]))

    def hand_over(self, histogram: bytes) -> None:
        """From now on TensorRT reads this histogram cache."""
        stored = ctypes.create_string_buffer(histogram, len(histogram))

        def read(_: int, length: Any) -> int:
            self.calls.append("read_histogram_cache (native)")
            length[0] = len(histogram)
            return ctypes.addressof(stored)

        reader = _READER(read)
        # A pybind11 object holds the address of its C++ object behind PyObject's two words.
        this = ctypes.c_void_p.from_address(id(self) + 2 * ctypes.sizeof(ctypes.c_void_p)).value
        slot = ctypes.c_void_p.from_address(this or 0)
        # Two entries before the first function hold the offset to the whole object and its type.
        word = ctypes.sizeof(ctypes.c_void_p)
        copy = (ctypes.c_void_p * (_ENTRIES + 2)).from_buffer_copy(
            ctypes.string_at((slot.value or 0) - 2 * word, (_ENTRIES + 2) * word)
        )
        copy[2 + _READ_HISTOGRAM] = ctypes.cast(reader, ctypes.c_void_p).value
        slot.value = ctypes.addressof(copy) + 2 * word
        self._kept += [stored, reader, copy]


def _address_of(capsule: Any) -> int:
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, None))
