"""What breaks a rule is seen, and what keeps it is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos import rules
from tests.chaos.witness import Seen

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def seen(second: float, what: str, **facts: Any) -> Seen:
    return Seen(id=int(second * 10), at=BEGIN + timedelta(seconds=second), what=what, facts=facts)


def seen_job(second: float, job: str, was: str | None, state: str, **facts: Any) -> Seen:
    return seen(second, "job", id=job, was=was, state=state, **{"project": "p", "owner": None, **facts})


def claimed(second: float, job: str, owner: str = "w", project: str = "p") -> Seen:
    return seen_job(second, job, "queued", "running", owner=owner, project=project)


def worker(second: float, state: str, *labels: str) -> Seen:
    return seen(second, "worker", id="w", state=state, labels=labels)


def wish(job: str, submission: str) -> Seen:
    return seen(0, "wish", job=job, submission=submission)


REQUIRED = {"free": [], "one": ["a=1"], "both": ["a=1", "b=1"]}


@pytest.mark.parametrize(
    ("labels", "wishes", "kept"),
    [
        ([], ["one"], False),
        (["a=1"], ["one"], True),
        (["a=1"], ["both"], False),
        (["a=1"], ["both", "one"], True),
        ([], ["both", "free"], True),
        ([], ["free"], True),
    ],
)
def test_a_job_runs_where_the_labels_are_that_all_who_want_it_require(
    labels: Sequence[str], wishes: Sequence[str], *, kept: bool
) -> None:
    happened = [worker(0, "ready", *labels), *(wish("j", name) for name in wishes), claimed(1, "j")]
    assert (list(rules.misplaced(happened, REQUIRED)) == []) is kept


def test_a_worker_that_nobody_knows_has_no_labels() -> None:
    assert len(list(rules.misplaced([wish("j", "one"), claimed(1, "j", owner="other")], REQUIRED))) == 1


def test_more_than_a_project_may_run_is_seen() -> None:
    one, other, more = claimed(1, "a"), claimed(2, "b"), claimed(3, "c")
    ended = seen_job(2.5, "a", "running", "done")
    assert list(rules.beyond_limits([one, other], {"p": 2})) == []
    assert list(rules.beyond_limits([one, other, more], {"q": 1})) == []
    assert len(list(rules.beyond_limits([one, other, more], {"p": 2}))) == 1
    assert list(rules.beyond_limits([one, other, ended, more], {"p": 2})) == []


def test_a_job_that_was_passed_on_counts_where_it_runs_now() -> None:
    passed_on = seen_job(2, "a", "running", "running", project="q")
    assert list(rules.beyond_limits([claimed(1, "a"), passed_on, claimed(3, "b")], {"p": 1})) == []
    taken = [claimed(1, "a"), passed_on, claimed(3, "b", project="q")]
    assert len(list(rules.beyond_limits(taken, {"q": 1}))) == 1


@pytest.mark.parametrize("state", ["paused", "draining"])
def test_a_worker_that_is_away_and_takes_a_job_is_seen(state: str) -> None:
    away, late = worker(1, state), claimed(9, "j")
    assert len(list(rules.taken_while_away([away, late], []))) == 1
    assert list(rules.taken_while_away([away, claimed(1.1, "j")], [])) == []
    assert list(rules.taken_while_away([away, worker(8, "ready"), late], [])) == []
    assert list(rules.taken_while_away([away, late], [(BEGIN, BEGIN + timedelta(seconds=5))])) == []
    assert len(list(rules.taken_while_away([away, late], [(BEGIN, BEGIN + timedelta(seconds=0.5))]))) == 1


@pytest.mark.parametrize(("pinned", "needed"), [(True, False), (False, True), (False, False)])
def test_what_was_pinned_or_needed_and_is_gone_is_seen(*, pinned: bool, needed: bool) -> None:
    happened = [seen(1, "gone", **{"id": "eng", "from": "engines", "pinned": pinned, "needed": needed})]
    assert rules.gone(happened) == {"eng"}
    assert bool(list(rules.taken_away(happened))) is (pinned or needed)


def test_a_change_that_the_history_lacks_or_makes_up_is_seen() -> None:
    happened = [seen_job(0, "j", None, "queued"), claimed(1, "j"), seen_job(2, "j", "running", "running", project="q")]
    told = [(None, "queued"), ("queued", "running")]
    assert list(rules.untold(happened, {"j": told})) == []
    assert len(list(rules.untold(happened, {"j": told[:1]}))) == 1
    assert len(list(rules.untold(happened, {"j": [*told, ("running", "done")]}))) == 1
    assert len(list(rules.untold(happened, {"j": told, "other": told}))) == 1
