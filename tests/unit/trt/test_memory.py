"""TensorRT's own words for a full GPU, as it logs them, and words that only look like them."""

from __future__ import annotations

import pytest

from trtfarm_builder.trt.memory import memory_error


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
