"""Calls of threads that are served together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from trtfarm import together
from trtfarm.errors import StorageError, UsageError
from trtfarm.together import Together


class Counter:
    """Serves numbers with their tenfold; odd ones only alone, and seven never. Serving 0 takes until it is told."""

    def __init__(self) -> None:
        self.served: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.call = Together(several=self.several, one=self.one, of_all=StorageError)

    def several(self, numbers: Sequence[int]) -> list[int]:
        if self.error is not None:
            raise self.error
        if any(number % 2 for number in numbers):
            raise UsageError("odd")
        self.served.append(list(numbers))
        return [10 * number for number in numbers]

    def one(self, number: int) -> int:
        self.served.append([number])
        if number == 0:
            self.begun.set()
            self.go_on.wait()
        if number == 7:
            raise UsageError("seven")
        return 10 * number


@pytest.fixture
def counter() -> Counter:
    return Counter()


@contextmanager
def gathered(counter: Counter, *numbers: int) -> Iterator[Callable[[], list[Future[int]]]]:
    """Calls that come, one after another, while 0 is being served."""
    with ThreadPoolExecutor(1 + len(numbers)) as pool:
        pool.submit(counter.call, 0)
        counter.begun.wait()
        calls = []
        for count, number in enumerate(numbers, 1):
            calls.append(pool.submit(counter.call, number))
            while len(counter.call._waiting) < count:
                threading.Event().wait(0.001)
        counter.go_on.set()
        yield lambda: calls


def test_what_comes_meanwhile_is_served_in_one_go_and_in_order(counter: Counter) -> None:
    with gathered(counter, 2, 4, 6) as calls:
        assert [call.result() for call in calls()] == [20, 40, 60]
    assert counter.served == [[0], [2, 4, 6]]


def test_who_came_together_is_waited_for(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    with gathered(counter, 2, 4, 6) as calls:
        assert [call.result() for call in calls()] == [20, 40, 60]
    monkeypatch.setattr(together, "_MOMENT_SECONDS", 60.0)
    with ThreadPoolExecutor(3) as pool:
        first, second = pool.submit(counter.call, 8), pool.submit(counter.call, 8)
        while len(counter.call._waiting) < 2:
            threading.Event().wait(0.001)
        assert not first.done()
        assert not second.done()
        assert pool.submit(counter.call, 8).result() == first.result() == second.result() == 80
    assert counter.served[-1] == [8, 8, 8]


def test_who_does_not_come_again_is_waited_for_no_longer_than_a_moment(counter: Counter) -> None:
    with gathered(counter, 2, 4, 6) as calls:
        assert [call.result() for call in calls()] == [20, 40, 60]
    assert [counter.call(8), counter.call(10)] == [80, 100]
    assert counter.served == [[0], [2, 4, 6], [8], [10]]


def test_who_was_served_goes_while_the_next_are_served() -> None:
    """And so can come again in time for those after them."""
    counter, begun, go_on = Counter(), threading.Event(), threading.Event()

    def several(numbers: Sequence[int]) -> list[int]:
        begun.set()
        go_on.wait()
        return counter.several(numbers)

    counter.call = Together(several=several, one=counter.one, of_all=StorageError)
    with gathered(counter, 2, 4, 6) as calls, ThreadPoolExecutor(1) as pool:
        begun.wait()
        counter.begun.clear()
        counter.go_on.clear()
        last = pool.submit(counter.call, 0)
        while not counter.call._waiting:
            threading.Event().wait(0.001)
        go_on.set()
        counter.begun.wait()
        assert [call.result(timeout=60) for call in calls()] == [20, 40, 60]
        assert not last.done()
        counter.go_on.set()
        assert last.result() == 0


def test_where_one_is_at_fault_each_gets_its_own(counter: Counter) -> None:
    with gathered(counter, 2, 7, 3) as calls:
        fine, wrong, odd = calls()
        assert (fine.result(), odd.result()) == (20, 30)
        with pytest.raises(UsageError, match="seven"):
            wrong.result()
    assert counter.served == [[0], [2], [7], [3]]


def test_what_concerns_all_is_told_to_all_at_once(counter: Counter) -> None:
    counter.error = StorageError("the database is away")
    with gathered(counter, 2, 4) as calls:
        for call in calls():
            with pytest.raises(StorageError, match="away"):
                call.result()
    assert counter.served == [[0]]


def test_an_interrupt_of_one_thread_leaves_the_others_to_be_served() -> None:
    """The thread that serves them all is the one that is interrupted."""
    interrupted = threading.Event()

    def several(numbers: Sequence[int]) -> list[int]:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return [10 * number for number in numbers]

    counter = Counter()
    counter.call = Together(several=several, one=counter.one, of_all=StorageError)
    with gathered(counter, 2, 4, 6) as calls:
        results = [call.exception() or call.result() for call in calls()]
    assert sorted(map(str, results)) == ["", "40", "60"]
