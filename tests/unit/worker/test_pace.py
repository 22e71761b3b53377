from __future__ import annotations

import pytest

from trtfarm_worker.pace import Pace


@pytest.mark.parametrize(
    ("builder", "job", "at_once"),
    [(0.0, 0.0, 32), (0.001, 0.01, 32), (0.01, 0.05, 10), (0.05, 0.4, 1), (0.2, 0.21, 1), (600.0, 601.0, 1)],
)
def test_what_takes_a_moment_is_worth_claiming_together(builder: float, job: float, at_once: int) -> None:
    pace = Pace()
    for _ in range(8):
        assert pace.at_once("cpu") == 1
        pace.builder_took("cpu", builder)
        pace.job_took("cpu", job)
    assert pace.at_once("cpu") == at_once
    assert pace.at_once("tensorrt-8.5.3.1/sm_90") == 1


def test_one_builder_that_lasts_ends_it() -> None:
    pace = Pace()
    for _ in range(8):
        pace.builder_took("cpu", 0.01)
        pace.job_took("cpu", 0.02)
    pace.builder_took("cpu", 3.0)
    assert pace.at_once("cpu") == 1
