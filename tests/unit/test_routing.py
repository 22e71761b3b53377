from __future__ import annotations

from typing import Any

import pytest

from trtfarm import routing


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
    assert routing.queue_of("tensorrt-8.5.3.1/sm_90") == "trtfarm.tensorrt-8.5.3.1_sm_90"
    assert routing.queue_of("cpu") == "trtfarm.cpu"
