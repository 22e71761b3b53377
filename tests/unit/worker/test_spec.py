from __future__ import annotations

import sys

import pytest

from trtfarm.errors import UsageError
from trtfarm_worker.toolchains.spec import ToolchainSpec


@pytest.mark.parametrize(
    ("text", "requirements", "name", "python"),
    [
        ("tensorrt-rtx", ["tensorrt-rtx-cu12", "numpy"], None, sys.executable),
        ("tensorrt-rtx==1", ["tensorrt-rtx-cu12==1.*", "numpy"], None, sys.executable),
        ("tensorrt-rtx==1.7", ["tensorrt-rtx-cu12==1.7.*", "numpy"], None, sys.executable),
        (
            "tensorrt-rtx==1.7.1.116",
            ["tensorrt-rtx-cu12==1.7.1.116", "numpy"],
            "tensorrt-rtx-1.7.1.116",
            sys.executable,
        ),
        (
            "tensorrt==10.13.3.9",
            ["tensorrt==10.13.3.9", "numpy", "cuda-bindings"],
            "tensorrt-10.13.3.9",
            sys.executable,
        ),
        (
            "tensorrt==8.5.3.1",
            ["tensorrt==8.5.3.1", "numpy", "cuda-bindings", "nvidia-cudnn-cu11<9"],
            "tensorrt-8.5.3.1",
            "3.10",
        ),
    ],
)
def test_what_is_installed_for_a_spec(text: str, requirements: list[str], name: str | None, python: str) -> None:
    spec = ToolchainSpec.parse(text)
    assert spec.requirements() == requirements
    assert spec.exact_name == name
    assert spec.default_python() == python
    assert str(spec) == text


@pytest.mark.parametrize(
    "text", ["", "reference", "numpy", "tensorrt==", "tensorrt==x", "tensorrt>=10", "--help", "tensorrt==1;x"]
)
def test_what_is_no_spec(text: str) -> None:
    with pytest.raises(UsageError):
        ToolchainSpec.parse(text)
