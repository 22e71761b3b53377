"""GPUs handed out, on a machine that has none: NVML is posed, the locks are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.posers import H200, PosedGpus, posed_gpus
from trtfarm.errors import StorageError, ToolchainError
from trtfarm.routing import Opening
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.gpus.nvml import NoNvmlError, Nvml
from trtfarm_worker.gpus.turns import shared_folder, take_turn
from trtfarm_worker.gpus.waiting import turn_on
from trtfarm_worker.places import Places

NEEDED = 2 << 30
ON_H200 = "tensorrt-8.5.3.1/sm_90"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PosedGpus:
    """Two alike, and one of another kind."""
    return posed_gpus(monkeypatch, tmp_path, H200, H200, {**H200, "name": "NVIDIA A100", "compute_capability": [8, 0]})


@pytest.fixture
def keeper(gpus: PosedGpus) -> GpuKeeper:
    return keeper_of_host(NEEDED, {})


def any_gpu(_gpu: Gpu) -> bool:
    return True


def test_gpus_are_described_as_the_driver_does(keeper: GpuKeeper, gpus: PosedGpus) -> None:
    one, _, other = [status.as_dict() for status in keeper.statuses()]
    assert one == {
        "uuid": gpus.uuids[0],
        "name": "NVIDIA H200",
        "compute_capability": "sm_90",
        "memory_bytes": 150_754_820_096,
        "driver": "580.159.04",
        "mig": False,
        "out_of_service": None,
        "occupied": None,
    }
    assert (other["name"], other["compute_capability"]) == ("NVIDIA A100", "sm_80")


def test_a_host_without_a_driver_has_none_and_says_so() -> None:
    """The real library, on this machine; where there is a driver, its GPUs are shut out."""
    keeper = keeper_of_host(environment={"CUDA_VISIBLE_DEVICES": ""})
    assert keeper.gpus == ()
    assert keeper.reason
    assert keeper.take(any_gpu) is None


def test_a_driver_that_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    posed = posed_gpus(monkeypatch, tmp_path)
    assert keeper_of_host(environment={}).reason == "the driver shows no GPU"
    posed.path.write_text(json.dumps({"fails": "Driver/library version mismatch"}))
    with pytest.raises(NoNvmlError, match="version mismatch"):
        Nvml()
    assert "version mismatch" in str(keeper_of_host(environment={}).reason)


def test_each_gpu_has_one_job_at_a_time(gpus: PosedGpus, keeper: GpuKeeper) -> None:
    places = Places(1, lambda: keeper)
    taken = [places.take(Opening(ON_H200)) for _ in range(3)]
    assert [place.gpu.gpu.uuid if place and place.gpu else None for place in taken] == [*gpus.uuids[:2], None]
    # Another process of this host, of whatever farm; its keeper knows nothing of this one's.
    assert keeper_of_host(NEEDED, {}).take(lambda gpu: gpu.name == "NVIDIA H200") is None
    assert places.take(Opening("tensorrt-8.5.3.1/sm_80")) is not None
    assert places.take(Opening("tensorrt-8.5.3.1/sm_86")) is None
    first = taken[0]
    assert first is not None
    first.give_back()
    again = places.take(Opening(ON_H200))
    assert again is not None
    assert again.gpu is not None
    assert again.gpu.gpu.uuid == gpus.uuids[0]


def test_the_smallest_gpu_that_is_large_enough_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However the driver lists them; so that what needs a large one finds it free."""
    posed = posed_gpus(monkeypatch, tmp_path, H200, {**H200, "total": 81_559 << 20})
    places = Places(1, partial(keeper_of_host, NEEDED, {}))
    large, small = posed.uuids
    assert places.take(Opening(ON_H200, 142)) is None
    first = places.take(Opening(ON_H200, 80))
    assert first is not None
    assert first.gpu is not None
    assert (first.gpu.gpu.uuid, first.station(["rack=a1"]).memory(ON_H200)) == (small, 80)
    assert places.take(Opening("tensorrt-8.5.3.1/sm_80")) is None
    second = places.take(Opening(ON_H200))
    assert second is not None
    assert second.gpu is not None
    assert (second.gpu.gpu.uuid, second.station([]).memory(ON_H200)) == (large, 141)


def test_gpus_and_cpus_do_not_take_each_others_places(keeper: GpuKeeper) -> None:
    places = Places(1, lambda: keeper)
    one = places.take(Opening("cpu"))
    assert one is not None
    assert one.gpu is None
    assert places.take(Opening("tensorrt-rtx-1.7.1.116")) is None
    assert places.take(Opening(ON_H200)) is not None
    one.give_back()
    assert places.take(Opening("tensorrt-rtx-1.7.1.116")) is not None


def test_a_gpu_that_others_have_filled_is_passed_over_until_they_leave(gpus: PosedGpus, keeper: GpuKeeper) -> None:
    gpus.say(0, used=H200["total"] - (1 << 30), holders=[[4711, 139 << 30]])
    held = keeper.take(any_gpu)
    assert held is not None
    assert held.gpu.uuid == gpus.uuids[1]
    assert "process (4711)" in str(keeper.statuses()[0].occupied)
    gpus.say(0, used=H200["used"], holders=[])
    first = keeper.take(any_gpu)
    assert first is not None
    assert first.gpu.uuid == gpus.uuids[0]
    assert keeper.statuses()[0].occupied is None


@pytest.mark.parametrize("facts", [{"ecc": 3}, {"remapped": [0, 1, 1, 0]}, {"lost": True}])
def test_a_gpu_with_an_error_is_out_of_service_for_good(
    gpus: PosedGpus, keeper: GpuKeeper, facts: dict[str, object]
) -> None:
    gpus.say(0, **facts)
    held = keeper.take(any_gpu)
    assert held is not None
    assert held.gpu.uuid == gpus.uuids[1]
    gpus.say(0, ecc=0, remapped=[0, 0, 0, 0], lost=False)
    out, *others = [status.out_of_service for status in keeper.statuses()]
    assert out
    assert others == [None, None]


def test_mig_gpus_and_what_they_do_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = {**H200, "mig": None, "ecc": None, "remapped": None, "holders": None}
    posed_gpus(monkeypatch, tmp_path, {**H200, "mig": 1}, silent)
    split, plain = keeper_of_host(NEEDED, {}).statuses()
    assert "MIG" in str(split.out_of_service)
    assert plain.out_of_service is None


def test_memory_that_a_job_left_behind_keeps_the_gpu_out_until_it_is_back(
    gpus: PosedGpus, keeper: GpuKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtfarm_worker.gpus.keeper._GIVE_BACK_SECONDS", 0.2)
    held = keeper.take(any_gpu)
    assert held is not None
    gpus.say(0, used=H200["used"] + (1 << 30))
    keeper.give_back(held)
    assert "did not come back" in str(keeper.statuses()[0].out_of_service)
    gpus.say(0, used=H200["used"])
    assert keeper.statuses()[0].out_of_service is None


def test_xids_of_the_hardware_take_a_gpu_out_of_service(gpus: PosedGpus, keeper: GpuKeeper) -> None:
    ended = threading.Event()
    gpus.say(0, xid=79)
    watching = threading.Thread(target=keeper.watch, args=(ended,))
    watching.start()
    while keeper.statuses()[0].out_of_service is None:
        assert watching.is_alive()
    ended.set()
    watching.join()
    assert "Xid 79" in str(keeper.statuses()[0].out_of_service)
    assert keeper.statuses()[1].out_of_service is None


def test_a_turn_ends_with_the_last_process_that_has_it(tmp_path: Path) -> None:
    """A builder whose supervisor was killed still computes: its GPU is nobody else's before it is gone."""
    turn = take_turn("GPU-1", tmp_path)
    assert turn is not None
    builder = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(turn.descriptor,)
    )
    turn.give_back()
    assert take_turn("GPU-1", tmp_path) is None
    assert take_turn("GPU-2", tmp_path) is not None
    builder.communicate()
    assert take_turn("GPU-1", tmp_path) is not None


def test_a_lock_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trtfarm-GPU-1.lock").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "trtfarm-GPU-2.lock")
    for uuid in ("GPU-1", "GPU-2"):
        with pytest.raises(StorageError, match="lock"):
            take_turn(uuid, tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert shared_folder().stat().st_mode & 0o1002 == 0o1002


def test_work_by_hand_waits_for_its_turn_and_says_so(gpus: PosedGpus, keeper: GpuKeeper) -> None:
    first, told = take_turn(gpus.uuids[2]), list[str]()
    assert first is not None
    waiting = turn_on(keeper, lambda gpu: gpu.name == "NVIDIA A100", "an A100", tell=told.append)
    threading.Timer(0.3, first.give_back).start()
    with waiting as held:
        assert held.gpu.uuid == gpus.uuids[2]
    assert told == ["an A100 is in use by another process of trtfarm; waiting for it"]


def test_work_by_hand_does_not_wait_for_what_never_comes(gpus: PosedGpus, keeper: GpuKeeper) -> None:
    with pytest.raises(ToolchainError, match="no L4"), turn_on(keeper, lambda _: False, "L4", tell=print):
        pass
    gpus.say(2, used=H200["total"])
    with (
        pytest.raises(ToolchainError, match="cannot be used now") as caught,
        turn_on(keeper, lambda gpu: gpu.name == "NVIDIA A100", "an A100", tell=print),
    ):
        pass
    assert "0 MiB are free" in str(caught.value.cause)
