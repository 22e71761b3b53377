from __future__ import annotations

from pathlib import Path

from trtfarm_worker.builder.environment import builder_environment
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

_TOOLCHAIN = Toolchain(
    name="t", kind=ToolchainKind.TENSORRT, python=Path("/p"), library_path=(Path("/trt"), Path("/cublas"))
)


def test_only_what_is_listed_passes() -> None:
    given = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "1",
        "AWS_SECRET_ACCESS_KEY": "s",
        "TRTFARM_BROKER_URL": "redis://:s@host",
        "PYTHONPATH": "/x",
        "PYTHONSTARTUP": "/x.py",
        "LD_PRELOAD": "/x.so",
        "HOME": "/root",
    }
    assert builder_environment(given, toolchain=_TOOLCHAIN, scratch=Path("/scratch")) == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "",
        "LD_LIBRARY_PATH": "/trt:/cublas",
        "HOME": "/scratch",
        "TMPDIR": "/scratch",
        "PYTHONUTF8": "1",
    }


def test_a_builder_sees_the_gpu_that_it_was_given_and_no_other() -> None:
    for given in ({}, {"CUDA_VISIBLE_DEVICES": "0,1"}):
        made = builder_environment(given, toolchain=_TOOLCHAIN, scratch=Path("/scratch"), gpu="GPU-1")
        assert made["CUDA_VISIBLE_DEVICES"] == "GPU-1"


def test_the_drivers_libraries_come_after_the_toolchains() -> None:
    given = {"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}
    made = builder_environment(given, toolchain=_TOOLCHAIN, scratch=Path("/scratch"))
    assert made["LD_LIBRARY_PATH"] == "/trt:/cublas:/usr/local/nvidia/lib64"
