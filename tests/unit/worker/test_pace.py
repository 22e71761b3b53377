from __future__ import annotations

import pytest

from trtfarm_worker.pace import Pace, Share


@pytest.mark.parametrize(
    ("builder", "job", "processor", "most", "anyway", "alone"),
    [
        (0.0, 0.0, 0.0, 32, 32, False),
        (0.001, 0.006, 0.004, 32, 20, True),
        (0.001, 0.05, 0.004, 10, 20, True),
        (0.03, 0.05, 0.02, 10, 2, False),
        (0.05, 0.4, 0.06, 1, 1, True),
    ],
)
def test_what_takes_a_moment_is_worth_claiming_together(
    builder: float, job: float, processor: float, most: int, anyway: int, *, alone: bool
) -> None:
    pace = _known(builder, job, processor)
    assert pace.share("cpu") == Share(most=most, anyway=anyway, alone=alone)
    assert pace.share("tensorrt-8.5.3.1/sm_90") == Share()


@pytest.mark.parametrize("builder", [0.2, 600.0])
def test_what_lasts_is_claimed_one_by_one(builder: float) -> None:
    assert _known(builder, builder + 1).share("cpu") == Share()


def test_one_builder_that_lasts_ends_it() -> None:
    pace = _known(0.01, 0.02)
    pace.builder_took("cpu", 3.0)
    assert pace.share("cpu") == Share()


def _known(builder: float, job: float, processor: float = 0.0) -> Pace:
    pace = Pace()
    for _ in range(8):
        assert pace.share("cpu") == Share()
        pace.builder_took("cpu", builder)
        pace.job_took("cpu", job, processor)
    return pace
