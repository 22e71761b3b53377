"""Whether anybody does what is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtfarm.farm import Farm

_NO_WORKER = (
    "no worker is up: start one with trtfarm up, or run the same trtfarm submit again, which does its jobs itself"
)


def nobody_up(farm: Farm) -> str | None:
    """What is told to those who queue a job and do not see it through; None where a worker is up."""
    from trtfarm_worker.presence import workers_up

    return None if workers_up(farm) else _NO_WORKER
