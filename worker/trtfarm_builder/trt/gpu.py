"""CUDA's runtime: every return code is checked, and all that is taken is given back when its block ends."""

import ctypes
import importlib
from contextlib import contextmanager
from typing import Any, Iterator

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.failures import GpuMemoryError, StepError, ToolchainUnfitError

_MODULES = ("cuda.bindings.runtime", "cuda.cudart")
# cudaStreamNonBlocking: such a stream does not wait for the default one, in which TensorRT may work.
_NON_BLOCKING = 1
_HOST_ALLOC_DEFAULT = 0


def _load() -> Any:
    reasons = []
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            reasons.append("{}: {}".format(name, error))
    raise ToolchainUnfitError(
        "this interpreter cannot import CUDA Python",
        cause="; ".join(reasons),
        remedy="install cuda-python into the toolchain, or give its folder with --python-path",
    )


runtime = _load()


def call(function: str, *args: Any) -> Any:
    """Calls a function of the runtime: None, its one result, or a tuple of results.

    Raises GpuMemoryError where the GPU is full, ToolchainUnfitError where there is no usable GPU or driver, and
    StepError, which asks for another try, for all else.
    """
    code, *results = getattr(runtime, function)(*args)
    if code != runtime.cudaError_t.cudaSuccess:
        raise _error(function, code)
    if not results:
        return None
    return results[0] if len(results) == 1 else tuple(results)


def _error(function: str, code: Any) -> StepError:
    cause = "{} answered {}: {}".format(function, code.name, _text(code))
    if code == runtime.cudaError_t.cudaErrorMemoryAllocation:
        return GpuMemoryError(
            "the GPU has not enough free memory",
            cause=cause,
            remedy="use a smaller batch size or workspace, or wait until other programs have left the GPU",
        )
    if code in (runtime.cudaError_t.cudaErrorNoDevice, runtime.cudaError_t.cudaErrorInsufficientDriver):
        return ToolchainUnfitError(
            "CUDA cannot use a GPU here",
            cause=cause,
            remedy="see that nvidia-smi shows one, and that its driver is not older than CUDA Python needs",
        )
    return StepError("the GPU failed", cause=cause, remedy="look for the GPU's errors with nvidia-smi and dmesg")


def _text(code: Any) -> str:
    _, text = runtime.cudaGetErrorString(code)
    return str(text.decode() if isinstance(text, bytes) else text)


@contextmanager
def device_memory(size: int) -> Iterator[int]:
    """The address of `size` bytes on the GPU (at least one)."""
    address = call("cudaMalloc", max(size, 1))
    try:
        yield int(address)
    finally:
        call("cudaFree", address)


@contextmanager
def pinned_memory(size: int) -> Iterator["NDArray[np.uint8]"]:
    """`size` bytes of host memory that the GPU reads and writes while programs run on; gone when the block ends."""
    address = call("cudaHostAlloc", max(size, 1), _HOST_ALLOC_DEFAULT)
    try:
        yield np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(address)))
    finally:
        call("cudaFreeHost", address)


@contextmanager
def stream() -> Iterator[Any]:
    """A stream that waits for no other."""
    handle = call("cudaStreamCreateWithFlags", _NON_BLOCKING)
    try:
        yield handle
    finally:
        call("cudaStreamDestroy", handle)


@contextmanager
def event() -> Iterator[Any]:
    """A point in a stream, with its time."""
    handle = call("cudaEventCreate")
    try:
        yield handle
    finally:
        call("cudaEventDestroy", handle)


def address_of(array: NDArray[Any]) -> int:
    """Where the array's values begin in host memory."""
    return int(array.ctypes.data)


def copy_to_gpu(target: int, source: NDArray[Any], handle: Any = None) -> None:
    """Copies a contiguous array; with a stream the copy may still run when this returns."""
    copied = target, address_of(source), source.nbytes, runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
    if handle is None:
        call("cudaMemcpy", *copied)
    else:
        call("cudaMemcpyAsync", *copied, handle)


def copy_from_gpu(target: NDArray[Any], source: int) -> None:
    """Copies into a contiguous array."""
    call("cudaMemcpy", address_of(target), source, target.nbytes, runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost)


def synchronize(handle: Any) -> None:
    """Waits until all work of a stream is done; this is where errors of earlier work come up."""
    call("cudaStreamSynchronize", handle)


@contextmanager
def launchable(graph: Any) -> Iterator[Any]:
    """A recorded graph made ready to be launched; both are gone when the block ends."""
    try:
        executable = call("cudaGraphInstantiate", graph, 0)
        try:
            yield executable
        finally:
            call("cudaGraphExecDestroy", executable)
    finally:
        call("cudaGraphDestroy", graph)


def free_memory() -> int:
    """Free bytes on the GPU."""
    free, _ = call("cudaMemGetInfo")
    return int(free)
