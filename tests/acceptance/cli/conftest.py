"""Farms for the program: an empty one for each test, and one that holds engines for all that only look."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.cli.forks import Forks
from tests.acceptance.cli.gpu_farm import GpuFarm
from tests.acceptance.cli.program import Program, surroundings
from tests.conftest import REPOSITORY, Shared
from tests.posers import H200, posed_gpus
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Toolchain

_POSER = """#!{python} -I
import json, os, signal, sys, time
def progress():
    event = dict(event="progress", stage="posing", done=0, total=None, unit="steps")
    os.write(int(sys.argv[-1]), json.dumps(event).encode() + b"\\n")
{body}
"""
MNIST = REPOSITORY / "calib_data" / "mnist"


@dataclass(frozen=True, kw_only=True)
class Stocked:
    """A farm after one submission; `facts` is what the submission said about itself."""

    program: Program
    facts: dict[str, Any]


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with LeNet as `lenet.onnx`, 100 digits to calibrate with, and 50 others with labels to verify with."""
    folder = tmp_path_factory.mktemp("digits")
    shutil.copy(MNIST / "lenet.onnx", folder)
    (folder / "test").mkdir()
    np.save(folder / "data.npy", np.load(MNIST / "data.npy")[:100])
    for name in ("data.npy", "labels.npy"):
        np.save(folder / "test" / name, np.load(MNIST / "test" / name)[:50])
    return folder


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Spares commands the start of Python; for tests where it is of no matter."""
    forks = Forks(surroundings())
    yield forks
    forks.close()


@pytest.fixture
def program(tmp_path: Path, migrated: Path, forks: Forks) -> Iterator[Program]:
    """The program with a new farm that has no toolchain but the built-in one."""
    made = _program(tmp_path, migrated, forks)
    yield made
    _check_nothing_runs(made)


@pytest.fixture
def builder(program: Program, rtx_toolchain: Toolchain) -> Program:
    """The program with a new farm that can build."""
    share(program, rtx_toolchain)
    return program


@pytest.fixture(scope="session")
def stocked(shared: Shared, migrated: Path, forks: Forks, rtx_toolchain: Toolchain, digits: Path) -> Stocked:
    """A farm with LeNet's table and its engines for sm_86 and sm_89; nobody may change it."""

    def stock(folder: Path) -> None:
        program = _program(folder, migrated, forks)
        share(program, rtx_toolchain)
        facts = program.json("submit", digits / "lenet.onnx")
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = shared("stocked", stock)
    program = Program(home=folder / "home", folder=folder, forks=forks)
    return Stocked(program=program, facts=json.loads((folder / "facts.json").read_text()))


@pytest.fixture
def own_stock(stocked: Stocked, tmp_path: Path) -> Iterator[Stocked]:
    """A copy of that farm, to be changed."""
    copy = stocked.program.copied(tmp_path)
    yield Stocked(program=copy, facts=stocked.facts)
    _check_nothing_runs(copy)


@pytest.fixture
def gpu_farm(program: Program, digits: Path, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GpuFarm:
    """A new farm on a host with an H200, as far as anybody can tell."""
    posed = replace(program, environment=posed_gpus(monkeypatch, tmp_path, H200).environment)
    return GpuFarm.made(posed, digits / "lenet.onnx", golden, tmp_path / "gpu")


@pytest.fixture
def poser(own_stock: Stocked, rtx_toolchain: Toolchain) -> Callable[[str], None]:
    """Puts a program in the place of the interpreter of `own_stock`'s toolchain; `progress()` is at hand in it."""

    def put(body: str) -> None:
        python = own_stock.program.folder / "python"
        python.write_text(_POSER.format(python=sys.executable, body=body))
        python.chmod(0o755)
        ToolchainRegistry(own_stock.program.home).put(replace(rtx_toolchain, python=python, environment=None))

    return put


def share(program: Program, toolchain: Toolchain) -> None:
    """Registers a toolchain with a farm that did not install it, and so will not delete it."""
    ToolchainRegistry(program.home).put(replace(toolchain, environment=None))


def _check_nothing_runs(program: Program) -> None:
    """Also ends what should not be there, which would otherwise sleep on after the tests."""
    left = program.processes()
    for process in left:
        process.kill()
    assert left == []


def _program(folder: Path, migrated: Path, forks: Forks) -> Program:
    home = folder / "home"
    home.mkdir()
    shutil.copy(migrated, home / "farm.db")
    return Program(home=home, folder=folder, forks=forks)
