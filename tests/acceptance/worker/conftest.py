"""A farm that has LeNet and digits in it, copied for each test, and builders that misbehave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.builder.conftest import Bench
from tests.acceptance.worker.farms import LeNetFarm, stocked
from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


@pytest.fixture(scope="session")
def stock(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> LeNetFarm:
    """The farm that the others are copied from; it is closed."""
    home = tmp_path_factory.mktemp("stock")
    shutil.copy(migrated, home / "farm.db")
    with Farm.open(Settings.from_environment({"TRTFARM_HOME": str(home)})) as farm:
        return stocked(farm)


@pytest.fixture
def home(stock: LeNetFarm, tmp_path: Path) -> Path:
    """A home with the stock in it and no toolchain but the reference one."""
    return Path(shutil.copytree(stock.farm.settings.home, tmp_path / "home"))


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings.from_environment({"TRTFARM_HOME": str(home)})


@pytest.fixture
def lenet(stock: LeNetFarm, settings: Settings) -> Iterator[LeNetFarm]:
    with Farm.open(settings) as farm:
        yield replace(stock, farm=farm)


@pytest.fixture
def rtx_home(home: Path, rtx_toolchain: Toolchain) -> Path:
    """A home with a TensorRT-RTX that somebody else's environment holds."""
    ToolchainRegistry(home).put(replace(rtx_toolchain, environment=None))
    return home


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    assert bench.processes() == []


def posing_as_rtx(bench: Bench, body: str) -> Toolchain:
    """A TensorRT-RTX whose interpreter is the program `body`."""
    return replace(bench.poser(body), kind=ToolchainKind.TENSORRT_RTX, version="1.7.1.116")
