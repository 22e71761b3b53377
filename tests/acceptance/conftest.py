"""Toolchains that many tests share: installing one takes seconds and 300 MB, so it is done once per machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import platformdirs
import pytest

from tests.conftest import Shared
from trtfarm.errors import ToolchainError
from trtfarm_worker.toolchains.install import install_toolchain
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.spec import ToolchainSpec
from trtfarm_worker.toolchains.toolchain import Toolchain


def cached_toolchain(spec: str) -> Toolchain:
    """The toolchain, from a cache outside of the repository; test processes that want it at once wait for the first."""
    try:
        return install_toolchain(ToolchainSpec.parse(spec), registry=_registry(), tell=lambda _line: None)
    except ToolchainError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{spec} cannot be installed here: {error}")


def _registry() -> ToolchainRegistry:
    cache = Path(os.environ.get("TRTFARM_TEST_CACHE") or platformdirs.user_cache_path("trtfarm-tests"))
    return ToolchainRegistry(cache / f"python-{platform.python_version()}")


def _probed_once(version: str, shared: Shared) -> Toolchain:
    """A TensorRT-RTX, probed by the first process of this run: an older release may have filled the cache."""
    name = f"tensorrt-rtx-{version}"
    shared(name, lambda _: cached_toolchain(f"tensorrt-rtx=={version}"))
    return _registry().get(name)


@pytest.fixture(scope="session")
def rtx_toolchain(shared: Shared) -> Toolchain:
    """A TensorRT-RTX that builds INT8."""
    return _probed_once("1.7.1.116", shared)


@pytest.fixture(scope="session")
def old_rtx_toolchain(shared: Shared) -> Toolchain:
    """A TensorRT-RTX that fails on INT8 convolutions."""
    return _probed_once("1.6.1.120", shared)
