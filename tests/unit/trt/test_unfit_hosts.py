"""Hosts that cannot do it, in words: no driver or an old one, a full GPU, engines that were made for something else.

CUDA's runtime, the driver's library and TensorRT are stood in for by what they answer in each case.
"""

from __future__ import annotations

import ctypes
import enum
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.onnx_models import silent_channel
from tests.unit.trt.conftest import Recorded, standing_in
from trtfarm_builder.failures import BadRequestError, GpuMemoryError, StepError, ToolchainUnfitError
from trtfarm_builder.trt import driver

_OTHER_VERSION = (
    "6: The engine plan file is not compatible with this version of TensorRT, expecting library version 8.5.3.1 got "
    "8.5.2.2, please rebuild."
)
_OTHER_GPU = (
    "6: The engine plan file is generated on an incompatible device, expecting compute 9.0 got compute 8.0, please "
    "rebuild."
)
_DAMAGED = "1: [stdArchiveReader.cpp::StdArchiveReader::30] Error Code 1: Serialization (Magic tag does not match)"
_NO_MEMORY = "2: [executionContext.cpp::ExecutionContext::410] Error Code 2: OutOfMemory (no further information)"


#: Some of what CUDA's runtime answers.
CudaError = enum.IntEnum(
    "CudaError",
    {
        "cudaSuccess": 0,
        "cudaErrorMemoryAllocation": 2,
        "cudaErrorInsufficientDriver": 35,
        "cudaErrorNoDevice": 100,
        "cudaErrorLaunchFailure": 719,
    },
)


@pytest.fixture
def posed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """TensorRT 8.5.3.1 by its names, and a CUDA runtime whose `work` answers what it is given."""
    runtime: Any = ModuleType("cuda.cudart")
    runtime.cudaError_t = CudaError
    runtime.cudaGetErrorString = lambda code: (CudaError.cudaSuccess, f"what {code.name} means".encode())
    runtime.work = lambda code: (code,)
    runtime.cudaMemGetInfo = lambda: (CudaError.cudaErrorNoDevice,)
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.cudart", runtime)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with standing_in("8.5.3.1") as made:
        made.module.ILogger = type("ILogger", (), {})
        yield made


@pytest.fixture
def in_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a builder works: its logs are written to the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (CudaError.cudaErrorInsufficientDriver, ToolchainUnfitError, "CUDA cannot use a GPU here"),
        (CudaError.cudaErrorNoDevice, ToolchainUnfitError, "CUDA cannot use a GPU here"),
        (CudaError.cudaErrorMemoryAllocation, GpuMemoryError, "not enough free memory"),
        (CudaError.cudaErrorLaunchFailure, StepError, "the GPU failed"),
    ],
)
def test_what_cuda_answers(posed: Recorded, code: CudaError, error: type[StepError], words: str) -> None:
    call = posed.child("gpu").call
    assert call("work", CudaError.cudaSuccess) is None
    with pytest.raises(error, match=words) as caught:
        call("work", code)
    assert caught.value.cause == f"work answered {code.name}: what {code.name} means"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("number", "error"), [(35, ToolchainUnfitError), (100, ToolchainUnfitError), (2, GpuMemoryError)]
)
def test_a_tensorrt_that_does_not_begin(posed: Recorded, number: int, error: type[StepError]) -> None:
    said = f"6: CUDA initialization failure with error: {number}. Please check your CUDA installation"

    def builder(_logger: Any) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(error) as caught:
        posed.child("workshop").made(builder, SimpleNamespace(last_errors=lambda: said))
    assert caught.value.cause == said
    assert error is GpuMemoryError or "driver is new enough" in str(caught.value.remedy)


class Runtime:
    """Loads no engine, and says why."""

    def __init__(self, said: str) -> None:
        self._said = said
        self.logger: Any = None

    def __call__(self, logger: Any) -> Runtime:
        self.logger = logger
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> None:
        assert plan == b"a plan"
        self.logger.log(SimpleNamespace(name="ERROR"), self._said)


@pytest.mark.parametrize(
    ("said", "error", "remedy"),
    [
        (_OTHER_VERSION, ToolchainUnfitError, "build it again for this TensorRT and GPU"),
        (_OTHER_GPU, ToolchainUnfitError, "build it again for this TensorRT and GPU"),
        (_DAMAGED, BadRequestError, "the file is damaged: get it again, or build it again"),
        (_NO_MEMORY, GpuMemoryError, "wait until other programs have left the GPU"),
    ],
)
def test_an_engine_that_is_not_loaded(
    posed: Recorded, in_folder: Path, said: str, error: type[StepError], remedy: str
) -> None:
    (in_folder / "x.engine").write_bytes(b"a plan")
    runtime = posed.module.Runtime = Runtime(said)
    with silent_channel() as channel, pytest.raises(error) as caught:
        posed.child("engine").open_engine(Path("x.engine"), channel)
    runtime.logger._file.close()
    assert caught.value.cause == said
    assert str(caught.value.remedy).startswith(remedy)


class Driver:
    """`libcuda.so.1` whose cuInit answers a number."""

    def __init__(self, code: int) -> None:
        self._code = code
        #: Numbers of the GPUs whose context was made.
        self.contexts: list[int] = []

    def cuDevicePrimaryCtxRetain(self, _context: Any, device: int) -> int:  # noqa: N802
        self.contexts.append(device)
        return 0

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - NVIDIA's names
        return self._code

    def cuGetErrorString(self, _code: int, text: Any) -> int:  # noqa: N802
        text._obj.value = b"system has unsupported display driver / cuda driver combination"
        return 0


def _no_library(_name: str) -> Any:
    raise OSError("libcuda.so.1: cannot open shared object file")


@pytest.mark.parametrize(
    ("opened", "words"),
    [
        (_no_library, "no NVIDIA driver here: libcuda.so.1: cannot open"),
        (lambda _name: Driver(803), "CUDA error 803: system has unsupported display driver / cuda driver combination"),
    ],
)
def test_a_driver_that_is_not_there_or_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], Any], words: str
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", opened)
    with pytest.raises(driver.NoDriverError, match=words):
        driver.gpus()


def test_a_driver_without_a_gpu_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Driver(100))
    assert driver.gpus() == []


@pytest.mark.parametrize(("code", "contexts"), [(0, [0]), (100, []), (803, [])])
def test_a_context_is_begun_where_the_driver_begins(
    monkeypatch: pytest.MonkeyPatch, code: int, contexts: list[int]
) -> None:
    library = Driver(code)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    driver.begin_context().join()
    assert library.contexts == contexts


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_a_driver_no_context_is_begun_and_nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", _no_library)
    driver.begin_context().join()
