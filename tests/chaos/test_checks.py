"""The campaign's checks see what they are for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.checks import Verdict, at_once, twice_ended
from tests.chaos.orders import orders
from tests.chaos.troubles import ONCE, plan
from trtfarm.database.schema import EventRow
from trtfarm.jobs.state import JobState

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def change(job: str, attempt: int, second: float, to: JobState) -> EventRow:
    owner = {"owner": "wrk"} if to is JobState.RUNNING else {}
    data = {"from": "queued" if owner else "running", "to": to.value, **owner}
    return EventRow(job_id=job, attempt=attempt, at=BEGIN + timedelta(seconds=second), kind="state", data=data)


ONE_LIFE = [
    change("a", 1, 0, JobState.RUNNING),
    change("a", 1, 1, JobState.QUEUED),
    change("a", 2, 2, JobState.RUNNING),
    change("a", 2, 3, JobState.DONE),
]


def test_a_job_that_is_taken_away_and_done_elsewhere_is_in_order() -> None:
    later = [change("b", 1, 3, JobState.RUNNING), change("b", 1, 4, JobState.DONE)]
    assert list(twice_ended([*ONE_LIFE, *later])) == []
    assert list(at_once({"a": "key", "b": "key"}, [*ONE_LIFE, *later])) == []


def test_a_second_commit_and_a_second_owner_of_an_attempt_are_seen() -> None:
    assert list(twice_ended([*ONE_LIFE, change("a", 1, 4, JobState.DONE)])) == ["job a was done 2 times"]
    assert list(twice_ended([*ONE_LIFE, change("a", 2, 4, JobState.RUNNING)])) == ["attempt 2 of job a began 2 times"]


def test_two_jobs_of_a_key_that_run_at_once_are_seen() -> None:
    beside = [change("b", 1, 2.5, JobState.RUNNING), change("b", 1, 4, JobState.DONE)]
    assert list(at_once({"a": "key", "b": "key"}, [*ONE_LIFE, *beside])) == ["a and b ran at once for key"]
    assert list(at_once({"a": "key", "b": "other"}, [*ONE_LIFE, *beside])) == []


@pytest.mark.parametrize("word", ["lost", "duplicated", "corrupt"])
def test_anything_wrong_spoils_the_verdict(word: str) -> None:
    assert Verdict(jobs=1, done=1).good
    assert not Verdict(jobs=2, done=1).good
    assert not Verdict(jobs=1, done=1, **{word: ["something"]}).good


def test_plans_and_orders_are_the_same_for_all_who_know_the_seed() -> None:
    assert plan(1, 60, 20) == plan(1, 60, 20) != plan(2, 60, 20)
    assert set(ONCE) <= {act.trouble for act in plan(1, 60, 0)}
    assert orders(1, 50) == orders(1, 50) != orders(2, 50)
    assert sum(order.jobs for order in {(o.capabilities, o.batch): o for o in orders(1, 50)}.values()) >= 50
