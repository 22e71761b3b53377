from __future__ import annotations

from dataclasses import replace

import pytest

from trtfarm.compute_capability import ComputeCapability
from trtfarm_worker.gpus.gpu import Gpu, Holder, Vitals
from trtfarm_worker.gpus.health import crowded, ill, missing, reason_of_xid, unusable
from trtfarm_worker.gpus.visible import visible

_GIB = 1 << 30
WELL = Vitals(used_bytes=_GIB, free_bytes=139 * _GIB, uncorrected_errors=0)
GPU = Gpu(
    uuid="GPU-1a",
    name="NVIDIA H200",
    compute_capability=ComputeCapability(9, 0),
    memory_bytes=140 * _GIB,
    driver="580.159.04",
)
OTHERS = [GPU, replace(GPU, uuid="GPU-1b"), replace(GPU, uuid="GPU-2")]


def test_errors_in_memory_make_a_gpu_ill() -> None:
    assert ill(WELL) is None
    assert ill(replace(WELL, uncorrected_errors=None)) is None
    assert "2 uncorrected memory errors" in str(ill(replace(WELL, uncorrected_errors=2)))
    assert "rows" in str(ill(replace(WELL, repair="rows of its memory could not be remapped")))


def test_mig_is_left_alone() -> None:
    assert unusable(GPU) is None
    assert "MIG" in str(unusable(replace(GPU, mig=True)))


@pytest.mark.parametrize(("number", "of_the_gpu"), [(13, False), (31, False), (43, False), (48, True), (79, True)])
def test_some_xids_are_the_programs_fault(number: int, *, of_the_gpu: bool) -> None:
    assert (reason_of_xid(number) is not None) is of_the_gpu


def test_who_has_the_memory_is_told() -> None:
    assert crowded(WELL, 139 * _GIB) is None
    full = Vitals(used_bytes=0, free_bytes=_GIB, holders=(Holder(pid=7, name="/bin/train", bytes=5 * _GIB),))
    reason = "1024 MiB are free of the 2048 that a job needs; in use by /bin/train (7) with 5120 MiB"
    assert crowded(full, 2 * _GIB) == reason
    assert "does not name" in str(crowded(replace(full, holders=()), 2 * _GIB))


def test_memory_that_a_newcomer_may_have_is_not_missed() -> None:
    assert missing(WELL, WELL) == missing(WELL, replace(WELL, used_bytes=_GIB + (32 << 20))) == 0
    after = replace(WELL, used_bytes=2 * _GIB)
    assert missing(WELL, after) == _GIB
    assert missing(WELL, replace(after, holders=(Holder(pid=7, name="", bytes=None),))) == 0


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (None, ["GPU-1a", "GPU-1b", "GPU-2"]),
        ("", []),
        ("-1", []),
        ("2,0", ["GPU-2", "GPU-1a"]),
        ("0,7,1", ["GPU-1a"]),
        ("1,1", ["GPU-1b"]),
        ("GPU-2, GPU-1b", ["GPU-2", "GPU-1b"]),
        ("GPU-1", []),
        ("nonsense,0", []),
    ],
)
def test_cudas_variable_says_which_gpus_are_meant(text: str | None, seen: list[str]) -> None:
    assert [gpu.uuid for gpu in visible(OTHERS, text)] == seen
