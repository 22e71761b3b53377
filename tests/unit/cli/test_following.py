"""A submission as somebody follows it who came late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.cli.test_share_progress import Seen
from trtfarm.jobs.job import Event
from trtfarm.jobs.state import StepState
from trtfarm.submissions.submission import StepStatus
from trtfarm_cli.following import Following


def step(name: str, state: StepState) -> StepStatus:
    return StepStatus(name=name, kind=name, state=state, job_id=f"job {name}", key=None, result=None, error=None)


def event(name: str, kind: str, **data: object) -> Event:
    return Event(id=1, job_id=f"job {name}", attempt=1, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, data=data)


def test_what_has_ended_does_not_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Seen()
    following = Following(seen)
    following.watch([step("calibrate", StepState.DONE), step("verify", StepState.ACTIVE)])
    for name in ("calibrate", "verify"):
        following.replay(event(name, "progress", stage="run", done=3, total=4, unit="samples"))
    following.replay(event("calibrate", "log", level="warning", text="few samples"))
    assert seen.states == [("calibrate", "done", True), ("verify", "queued", False), ("verify", "running", False)]
    assert seen.counts == [("verify", 3, 4)]
    assert capsys.readouterr().err == "calibrate: warning: few samples\n"


def test_a_job_that_its_worker_took_and_gave_back_is_told_of_without_a_word_of_its_builder() -> None:
    seen = Seen()
    following = Following(seen)
    following.watch([step("build", StepState.ACTIVE), step("verify", StepState.DONE)])
    error = {"message": "the builder was killed"}
    for name in ("build", "verify"):
        following.replay(event(name, "state", to="queued"))
        following.replay(event(name, "state", **{"from": "queued"}, to="running", owner="wrk_1"))
        following.replay(event(name, "state", to="running", note="wanted again"))
        following.replay(event(name, "state", **{"from": "running"}, to="queued", error=error))
    told = ["queued", "running", "queued again, after an error: the builder was killed"]
    assert seen.states == [
        ("build", told[0], False),
        ("verify", "done", True),
        *(("build", one, False) for one in told[1:]),
    ]
