"""What an order leads to, told from files before the farm is open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.unit.worker.test_sites import AHEAD, CAN, H200, TRT
from trtfarm.compute_capability import ComputeCapability
from trtfarm.farm import Farm
from trtfarm.intake import add_model
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.targets import BuildTarget
from trtfarm_worker.alive import WORKER, lock_files
from trtfarm_worker.foresight import foreseen
from trtfarm_worker.order import Order
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

PATH = REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"
ON_H200 = ComputeCapability(9, 0)
ELSEWHERE = ComputeCapability(8, 6)
ORDER = Order(model=PATH, targets=[ON_H200])
RTX = replace(
    TRT,
    name="rtx",
    kind=ToolchainKind.TENSORRT_RTX,
    version=AHEAD.tensorrt,
    capabilities=replace(CAN, compute_capabilities=(ELSEWHERE,)),
)
TOOLCHAINS = (reference_toolchain(), RTX, TRT)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.read(PATH)


@pytest.fixture
def settings(migrated: Path, tmp_path: Path) -> Settings:
    """Of a farm with nothing in it."""
    shutil.copy(migrated, tmp_path / "farm.db")
    return Settings.from_environment({"TRTFARM_HOME": str(tmp_path)})


def of(settings: Settings, model: Model, order: Order = ORDER, *tools: Toolchain) -> tuple[BuildTarget, ...]:
    return foreseen(settings, order, model, tools or TOOLCHAINS, fresh=False)


def test_what_takes_a_gpu_of_a_new_model_is_foreseen(settings: Settings, model: Model, tmp_path: Path) -> None:
    assert of(settings, model) == (H200,)
    assert of(settings, model, replace(ORDER, targets=[ELSEWHERE, ON_H200])) == (H200,)
    assert of(settings, model, replace(ORDER, targets=[ELSEWHERE])) == ()
    assert of(settings, model, ORDER, reference_toolchain(), replace(TRT, broken="no driver")) == ()
    none = Settings.from_environment({"TRTFARM_HOME": str(tmp_path / "new"), "TRTFARM_TARGETS": "sm_90"})
    assert of(none, model, Order(model=PATH)) == (H200,)


def test_of_a_known_model_all_may_be_there_unless_it_is_to_be_done_again(settings: Settings, model: Model) -> None:
    with Farm.open(settings) as farm:
        add_model(farm, model)
        assert of(settings, model) == ()
    assert of(settings, model) == ()
    assert foreseen(settings, ORDER, model, TOOLCHAINS, fresh=True) == (H200,)


def _worker(settings: Settings) -> Settings:
    (lock_files(settings.home) / f"{WORKER}_01kad3x7yqm2v8r0t5bw").touch()
    return settings


def _other_release(settings: Settings) -> Settings:
    (settings.home / "farm.db").write_bytes(b"SQLite format 4")
    return settings


def _elsewhere(settings: Settings) -> Settings:
    return replace(settings, database_url="postgresql://host/farm")


@pytest.mark.parametrize("changed", [_worker, _other_release, _elsewhere])
def test_nothing_is_foreseen_where_it_is_not_certain(
    settings: Settings, model: Model, changed: Callable[[Settings], Settings]
) -> None:
    assert of(changed(settings), model) == ()
