from __future__ import annotations

from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.throttle import Throttle


def _progress(done: int) -> Progress:
    return Progress(stage="s", done=done, total=None, unit="steps")


def test_a_burst_passes_then_twenty_a_second() -> None:
    throttle = Throttle()
    assert sum(throttle.admits(_progress(n), 100.0) for n in range(1000)) == 40
    assert sum(throttle.admits(_progress(n), 101.0) for n in range(1000)) == 20


def test_the_last_progress_is_told_in_the_end_even_when_held_back() -> None:
    throttle = Throttle()
    for done in range(100):
        throttle.admits(_progress(done), 0.0)
    assert throttle.leftover() == [_progress(99)]


def test_nothing_is_left_when_all_was_told() -> None:
    throttle = Throttle()
    assert throttle.admits(_progress(1), 5.0)
    assert throttle.admits(LogLine(level="info", text="t"), 5.0)
    assert throttle.leftover() == []


def test_log_lines_are_counted_not_timed() -> None:
    throttle = Throttle()
    admitted = [throttle.admits(LogLine(level="info", text=str(n)), float(n)) for n in range(1003)]
    assert admitted == [True] * 1000 + [False] * 3
    assert throttle.leftover() == [LogLine(level="warning", text="3 more lines of the builder's log are left out")]
