"""What a builder loads before it is asked for anything."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.unit.trt.conftest import standing_in


class Made:
    """A builder of TensorRT's, which knows that it was made; it loads the kernel library."""

    alive = 0

    def __init__(self, logger: Any) -> None:
        assert isinstance(logger, Quiet)
        Made.alive += 1

    def __del__(self) -> None:
        Made.alive -= 1


class Quiet:
    """TensorRT's own logger."""

    ERROR = 1

    def __init__(self, least: int) -> None:
        assert least == self.ERROR


def test_the_kernel_library_is_loaded_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go with the builder that had it loaded."""
    for name in ("cuda", "cuda.bindings", "cuda.bindings.runtime"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    with standing_in("8.5.3.1") as release:
        release.module.ILogger, release.module.IProfiler = type("ILogger", (), {}), type("IProfiler", (), {})
        release.module.Builder, release.module.Logger = Made, Quiet
        ahead = release.child("ahead")
        assert ahead is not None
        assert Made.alive == 1
