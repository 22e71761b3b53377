"""A farm that has LeNet and digits in it, copied for each test, and builders that misbehave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.acceptance.builder.conftest import Bench
from tests.acceptance.worker.farms import LeNetFarm, stocked
from tests.acceptance.worker.programs import PATIENCE
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
def home(stock: LeNetFarm, tmp_path: Path) -> Iterator[Path]:
    """A home with the stock in it and no toolchain but the reference one; at the end no builder is left in it."""
    home = Path(shutil.copytree(stock.farm.settings.home, tmp_path / "home"))
    yield home
    _, alive = psutil.wait_procs(builders(home), timeout=PATIENCE)
    assert alive == []


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


def posing_as_rtx(folder: Path, body: str) -> Toolchain:
    """A TensorRT-RTX whose interpreter is the program `body`, written to `folder`."""
    return replace(Bench(folder).poser(body), kind=ToolchainKind.TENSORRT_RTX, version="1.7.1.116")


def builders(home: Path) -> list[psutil.Process]:
    """The living builder processes of a home: each has a folder of its scratch for its own home."""
    return [process for process in psutil.process_iter() if _works_in(process, home / "scratch")]


def _works_in(process: psutil.Process, scratch: Path) -> bool:
    try:
        return str(process.environ().get("HOME", "")).startswith(f"{scratch}/")
    except psutil.Error:
        return False
