"""A submission while it is being made or moved on: plain values that change, until they are written as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtfarm.actions import ActionKind
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.planning import Step
from trtfarm.submission_request import SubmissionRequest

#: States of a step whose result is there, and of one that will never have any.
MET = frozenset({StepState.HIT, StepState.DONE})
LOST = frozenset({StepState.FAILED, StepState.SKIPPED, StepState.CANCELLED})


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """Where a step is; its columns in the database have the same names."""

    name: str
    kind: ActionKind
    position: int
    needs: tuple[str, ...]
    state: StepState = StepState.PENDING
    job_id: str | None = None
    key: str | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass(kw_only=True)
class UnderWay:
    """What was asked for, its plan, and where its steps are, in the plan's order.

    With `fresh` every step is done again, whatever is stored.
    """

    id: str
    project: str
    request: SubmissionRequest
    fresh: bool
    plan: tuple[Step, ...]
    steps: Mapping[str, StepRecord]
    state: SubmissionState = SubmissionState.ACTIVE
    error: dict[str, Any] | None = None


def planned(plan: tuple[Step, ...]) -> dict[str, StepRecord]:
    """The steps of a plan, of which none was looked at."""
    return {
        step.name: StepRecord(name=step.name, kind=step.kind, position=position, needs=step.needs)
        for position, step in enumerate(plan)
    }
