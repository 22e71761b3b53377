"""An engine of TensorRT and the runtime of CUDA, stood in for in host memory: shapes are taken as TensorRT takes them.

The engine has one input `x` and one output `y`: of each sample the number of its values, and a thousand for each
profile before the one that it was run in.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.trt.conftest import Recorded, standing_in

Shape = tuple[int, ...]
Ranges = tuple[Shape, Shape, Shape]
_Mode = enum.Enum("_Mode", ["INPUT", "OUTPUT"])
DEVICE = {"name": "NVIDIA H200", "compute_capability": "sm_90"}


class Context:
    def __init__(self, profiles: Sequence[Ranges]) -> None:
        self._profiles = profiles
        self._addresses: dict[str, int] = {}
        self._shape: Shape = ()
        self.active = 0

    def set_optimization_profile_async(self, number: int, stream: int) -> bool:
        assert stream > 0
        self.active, self._shape = number, ()
        return number < len(self._profiles)

    def set_input_shape(self, name: str, shape: Shape) -> bool:
        low, _, high = self._profiles[self.active]
        self._shape = tuple(shape)
        return name == "x" and all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))

    def get_tensor_shape(self, name: str) -> Shape:
        return self._shape if name == "x" else (*self._shape[:1], 1)

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        assert stream > 0
        samples, *rest = self._shape
        y = np.full(samples, np.prod(rest) + 1000 * self.active, np.float32)
        ctypes.memmove(self._addresses["y"], y.ctypes.data, y.nbytes)
        return True


class Native:
    """`profiles` are ranges of `x`, whose sizes are all free."""

    num_io_tensors = 2

    def __init__(self, *profiles: Ranges) -> None:
        self._profiles = profiles
        self.num_optimization_profiles = len(profiles)

    def create_execution_context(self) -> Context:
        return Context(self._profiles)

    def get_tensor_name(self, index: int) -> str:
        return "xy"[index]

    def get_tensor_mode(self, name: str) -> Any:
        return _Mode.INPUT if name == "x" else _Mode.OUTPUT

    def is_shape_inference_io(self, name: str) -> bool:
        return False

    def get_tensor_format(self, name: str) -> Any:
        return SimpleNamespace(name="LINEAR")

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name="FLOAT")

    def get_tensor_profile_shape(self, name: str, number: int) -> Ranges:
        assert name == "x"
        return self._profiles[number]

    def get_tensor_shape(self, name: str) -> Shape:
        return (-1,) * len(self._profiles[0][0]) if name == "x" else (-1, 1)


@contextmanager
def posed_engine(native: Native) -> Iterator[Recorded]:
    """TensorRT 8.5.3.1 by its names, whose engines are all `native`, on an H200."""
    with pytest.MonkeyPatch.context() as patch, standing_in("8.5.3.1") as made:
        patch.setitem(sys.modules, "cuda", ModuleType("cuda"))
        patch.setitem(sys.modules, "cuda.cudart", _runtime())
        patch.setitem(sys.modules, "cuda.bindings.runtime", None)
        made.module.ILogger, made.module.IProfiler = type("ILogger", (), {}), type("IProfiler", (), {})
        made.module.TensorIOMode = _Mode
        logs: list[Any] = []

        def runtime(logger: Any) -> Any:
            logs.append(logger)
            return SimpleNamespace(deserialize_cuda_engine=lambda _plan: native)

        made.module.Runtime = runtime
        patch.setattr(made.child("device"), "_first_gpu", lambda: DEVICE)
        yield made
        for logger in logs:
            logger._file.close()  # a builder's ends with it


def _runtime() -> Any:
    """Memory of the host; whatever is done is done at once, and takes a millisecond by the events' clock."""
    numbers, kept, ok = itertools.count(1), dict[int, Any](), (SimpleNamespace(name="cudaSuccess"),)
    runtime: Any = ModuleType("cuda.cudart")
    runtime.cudaError_t = SimpleNamespace(cudaSuccess=ok[0])
    runtime.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def malloc(size: int) -> Any:
        memory = ctypes.create_string_buffer(size)
        kept[ctypes.addressof(memory)] = memory
        return (*ok, ctypes.addressof(memory))

    def free(address: int) -> Any:
        del kept[address]
        return ok

    def copy(target: int, source: int, size: int, _kind: Any) -> Any:
        ctypes.memmove(target, source, size)
        return ok

    runtime.cudaMalloc, runtime.cudaFree, runtime.cudaMemcpy = malloc, free, copy
    for name in ("cudaStreamCreateWithFlags", "cudaEventCreate"):
        setattr(runtime, name, lambda *_: (*ok, next(numbers)))
    for name in ("cudaStreamDestroy", "cudaEventDestroy", "cudaEventRecord", "cudaStreamSynchronize"):
        setattr(runtime, name, lambda *_: ok)
    runtime.cudaEventElapsedTime = lambda first, last: (*ok, float(last - first))
    return runtime
