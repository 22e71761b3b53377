"""TensorRT's own words for a full GPU, as it logs them, words that only look like them, and none at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from trtfarm_builder.failures import GpuMemoryError, StepError
from trtfarm_builder.trt.memory import memory_error

#: What TensorRT 8.5.3.1 said on an H200 of which 900 MiB were free.
_CUBLAS = "1: [wrapper.cpp::CublasWrapper::85] Error Code 1: Cublas (Could not initialize cublas. Please check CUDA …)"


@pytest.mark.parametrize(
    "said",
    [
        "1: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)",
        "2: [executionContext.cpp::ExecutionContext::410] Error Code 2: OutOfMemory (no further information)",
        "Requested amount of GPU memory (151 bytes) could not be allocated. There may not be enough free memory.",
        "CUDA initialization failure with error: 2. Please check your CUDA installation",
    ],
)
def test_a_full_gpu_is_told_from_other_failures(said: str) -> None:
    error = memory_error("build this model", f"before\n{said}\nafter")
    assert error is not None
    assert (error.code, error.remedy is not None) == ("builder_memory", True)
    assert "build this model" in error.message


@pytest.mark.parametrize(
    "said",
    [
        None,
        "CUDA initialization failure with error: 35. Please check your CUDA installation",
        "4: [standardEngineBuilder.cpp::initCalibrationParams::1436] Error Code 4: Internal Error",
    ],
)
def test_other_failures_are_not_laid_to_memory(said: str | None) -> None:
    assert memory_error("build this model", said) is None


@pytest.mark.parametrize("said", [None, "", _CUBLAS])
@pytest.mark.parametrize("free", [0, 700 << 20])
def test_where_it_does_not_say_the_gpu_is_asked(said: str | None, free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trtfarm_builder.trt.gpu", _gpu(lambda: free))
    error = memory_error("begin", said)
    assert error is not None
    assert f"{free >> 20} MiB" in (error.cause or "")
    assert (said or "") in (error.cause or "")


def test_a_gpu_without_room_for_a_context_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trtfarm_builder.trt.gpu", _gpu(_raising(GpuMemoryError("full"))))
    assert memory_error("begin", None) is not None


@pytest.mark.parametrize("asked", [lambda: 4 << 30, StepError("no driver")])
def test_a_gpu_with_room_or_that_does_not_answer_is_not_called_full(
    asked: Callable[[], int] | StepError, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = _raising(asked) if isinstance(asked, StepError) else asked
    monkeypatch.setitem(sys.modules, "trtfarm_builder.trt.gpu", _gpu(free))
    assert memory_error("build this model", _CUBLAS) is None


def test_what_tensorrt_says_clearly_of_something_else_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trtfarm_builder.trt.gpu", _gpu(lambda: 0))
    assert memory_error("load the engine", "Serialization (Magic tag does not match)") is None


def _gpu(free: Callable[[], int]) -> ModuleType:
    module = ModuleType("trtfarm_builder.trt.gpu")
    vars(module)["free_memory"] = free
    return module


def _raising(error: StepError) -> Callable[[], int]:
    def free_memory() -> int:
        raise error

    return free_memory
