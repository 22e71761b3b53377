"""Whose turn it is, tried on farms that are nothing but numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from trtfarm.jobs.sharing import Queue, Share, Turn, several, turns
from trtfarm.routing import Need

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Farm:
    """Workers that all do the same; jobs are numbers, the smallest first."""

    shares: dict[str, Share]
    queued: dict[str, list[int]] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)
    taken: dict[str, float] = field(default_factory=dict)
    submitted: int = 0

    def submit(self, project: str, jobs: int) -> None:
        self.queued.setdefault(project, []).extend(range(self.submitted, self.submitted + jobs))
        self.submitted += jobs

    def claim(self) -> str | None:
        """The project that a free worker takes a job of."""
        found = turns(self.queues(), self.newest)
        if not found:
            return None
        return self._take(found[0])

    def queues(self) -> list[Queue]:
        return [self._queue(project) for project, jobs in self.queued.items() if jobs]

    def _take(self, turn: Turn) -> str:
        project = turn.queue.project
        self.taken[project] = turn.begins
        self.queued[project].pop(0)
        self.running[project] += 1
        return project

    @property
    def newest(self) -> float:
        return max(self.taken.values(), default=0.0)

    def _queue(self, project: str) -> Queue:
        last = self.taken.get(project)
        return Queue(
            need=Need("cpu"),
            project=project,
            priority=0,
            since=_BEGIN + timedelta(seconds=self.queued[project][0]),
            running=self.running[project],
            running_in_all=self.running[project],
            # As the database does, which looks no further back.
            last_turn=last if last is not None and last > self.newest - 1 else None,
            share=self.shares[project],
        )

    def claims(self, count: int) -> str:
        """Whom one worker works for in turn, each job ended before the next is taken."""
        found = []
        for _ in range(count):
            project = self.claim()
            assert project is not None
            self.running[project] -= 1
            found.append(project)
        return "".join(found)


def _farm(**weights: int) -> Farm:
    return Farm({project: Share(weight=weight) for project, weight in weights.items()})


def test_one_job_does_not_wait_behind_ten_thousand_of_another_project() -> None:
    farm = _farm(a=1, b=1)
    farm.submit("a", 10_000)
    assert farm.claims(3) == "aaa"
    farm.submit("b", 1)
    assert farm.claims(3) == "baa"


def test_one_worker_works_in_turn_for_those_who_wait() -> None:
    farm = _farm(a=1, b=1, c=1)
    for project in "abc":
        farm.submit(project, 9)
    assert farm.claims(9) == "abcabcabc"


def test_several_at_once_are_those_that_come_one_after_another() -> None:
    farm = _farm(a=3, b=1, c=1)
    for project in "abc":
        farm.submit(project, 40)
    farm.running["c"] = 1
    waiting = turns(farm.queues(), farm.newest)
    following = several(waiting, 12, after=waiting[0])
    at_once = "".join(turn.queue.project for turn in (waiting[0], *following))
    assert at_once == "".join(str(farm.claim()) for _ in range(13))
    assert following[-1].begins == farm.newest


def test_a_weight_is_that_many_turns() -> None:
    farm = _farm(a=3, b=1)
    for project in "ab":
        farm.submit(project, 40)
    assert Counter(farm.claims(40)) == {"a": 30, "b": 10}


def test_who_was_away_comes_next_and_not_several_times() -> None:
    farm = _farm(a=1, b=1)
    farm.submit("b", 1)
    farm.submit("a", 100)
    assert farm.claims(50) == "b" + "a" * 49
    farm.submit("b", 10)
    assert farm.claims(6) == "bababa"


def test_workers_are_shared_by_what_runs_where_jobs_of_one_take_longer() -> None:
    """Each of the four workers that gets one of b's jobs keeps it; those of a end at once."""
    farm = _farm(a=1, b=1)
    for project in "ab":
        farm.submit(project, 1000)
    slots = [farm.claim() for _ in range(4)]
    for _ in range(200):
        if "a" in slots:
            slots.remove("a")
            farm.running["a"] -= 1
            slots.append(farm.claim())
    assert Counter(slots) == {"a": 2, "b": 2}


def test_weights_share_out_what_runs() -> None:
    farm = _farm(a=3, b=1)
    for project in "ab":
        farm.submit(project, 100)
    for _ in range(40):
        farm.claim()
    assert farm.running == {"a": 30, "b": 10}


def test_a_full_project_waits_while_others_go_on() -> None:
    farm = Farm({"a": Share(max_running=2), "b": Share()})
    for project in "ab":
        farm.submit(project, 5)
    assert Counter(farm.claim() for _ in range(10)) == {"a": 2, "b": 5, None: 3}
    farm.running["a"] -= 1
    assert farm.claim() == "a"


def test_priority_goes_before_age_within_a_project_and_not_before_another_ones_turn() -> None:
    def queue(project: str, capability: str, **values: int) -> Queue:
        facts = {"running": 0, "running_in_all": 0, "priority": 0, **values}
        return Queue(need=Need(capability), project=project, since=_BEGIN, last_turn=None, share=Share(), **facts)

    mine = [queue("a", "old"), queue("a", "urgent", priority=5)]
    assert [turn.queue.need.capability for turn in turns(mine, 0)] == ["urgent", "old"]
    busy = queue("b", "urgent", priority=100, running=1)
    assert [turn.queue.project for turn in turns([busy, *mine], 0)] == ["a", "a", "b"]


weights = st.integers(1, 5)
#: Who submits how many jobs, a worker that becomes free, or a job of some project that ends.
events = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from("abcd"), st.integers(1, 20)),
    st.tuples(st.just("claim"), st.just(""), st.just(0)),
    st.tuples(st.just("end"), st.sampled_from("abcd"), st.just(0)),
)


@given(st.fixed_dictionaries(dict.fromkeys("abcd", weights)), st.lists(events, max_size=200))
def test_nobody_starves(of: dict[str, int], happenings: list[tuple[str, str, int]]) -> None:
    """Whatever happens, a project that runs nothing is passed over as often as `sharing` says, and not once more."""
    farm = _farm(**of)
    passed: dict[str, Counter[str]] = {project: Counter() for project in of}
    for kind, project, jobs in happenings:
        if kind == "submit":
            farm.submit(project, jobs)
        elif kind == "end":
            farm.running[project] -= farm.running[project] > 0
        else:
            waiting = [name for name in of if farm.queued.get(name) and not farm.running[name]]
            taken = farm.claim()
            for name in waiting:
                if taken is not None and name != taken:
                    passed[name][taken] += 1
                    assert passed[name][taken] <= 1 + ceil(of[taken] / of[name])
        for name in of:
            if farm.running[name] or not farm.queued.get(name):
                passed[name].clear()
