from __future__ import annotations

from typing import Any

import pytest

from trtfarm import routing
from trtfarm.requirements import Requirements
from trtfarm.routing import Need


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        ({"model_id": "mod_1"}, "cpu"),
        (
            {"toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116", "compute_capability": "sm_86"},
            "tensorrt-rtx-1.7.1.116",
        ),
        ({"toolchain": "tensorrt", "tensorrt": "8.5.3.1", "compute_capability": "sm_90"}, "tensorrt-8.5.3.1/sm_90"),
    ],
)
def test_what_a_job_needs(request_: dict[str, Any], needs: str) -> None:
    assert routing.needed(request_) == needs


def test_only_a_tensorrt_that_works_on_a_gpu_takes_one() -> None:
    assert routing.gpu_of("tensorrt-8.5.3.1/sm_90") == "sm_90"
    assert routing.gpu_of("tensorrt-rtx-1.7.1.116") is None
    assert routing.gpu_of(routing.CPU) is None


def test_people_read_it_otherwise_than_brokers() -> None:
    assert routing.described("tensorrt-8.5.3.1/sm_90") == "tensorrt-8.5.3.1 on sm_90"
    assert routing.queue_of(Need("tensorrt-8.5.3.1/sm_90")) == "trtfarm.tensorrt-8.5.3.1_sm_90"
    assert routing.queue_of(Need("cpu")) == "trtfarm.cpu"


def test_a_worker_hears_of_jobs_that_require_what_it_has() -> None:
    heard = routing.queues_of(["cpu", "tensorrt-8.5.3.1/sm_90"], ["rack=a1", "zone=b"])
    assert heard[:3] == ["trtfarm.cpu", "trtfarm.cpu.rack_a1", "trtfarm.cpu.zone_b"]
    for labels in ((), ("rack=a1",), ("rack=a1", "zone=b"), ("zone=b",)):
        assert routing.queue_of(Need("tensorrt-8.5.3.1/sm_90", Requirements(labels=labels, gpu_memory_gib=9))) in heard
    assert routing.queue_of(Need("cpu", Requirements(labels=("rack=b",)))) not in heard
