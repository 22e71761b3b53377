"""Shares of the data as a person sees them: one piece of work, whose counts add up."""

from __future__ import annotations

from collections.abc import Sequence

from trtfarm.jobs.state import StepState
from trtfarm.submissions.submission import StepStatus
from trtfarm_cli.following import Following
from trtfarm_cli.progress import LineView
from trtfarm_cli.share_progress import ShareProgress
from trtfarm_worker.builder.events import Progress


class Seen(LineView):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str, bool]] = []
        self.counts: list[tuple[str, int, int | None]] = []

    def state(self, name: str, text: str, *, ended: bool = False) -> None:
        self.states.append((name, text, ended))

    def progress(self, name: str, stage: str, done: int, total: int | None, unit: str) -> None:
        self.counts.append((name, done, total))


def batches(done: int, total: int) -> Progress:
    return Progress(stage="calibrate", done=done, total=total, unit="batches")


def steps(*states: str) -> Sequence[StepStatus]:
    """The bases, so many shares, and the calibration, which waits for them."""
    names = ["observe bases", *(f"observe histogram {number}/{len(states) - 1}" for number in range(1, len(states)))]
    kinds = [*((name, "observe") for name in names), ("calibrate", "calibrate")]
    return [
        StepStatus(
            name=name, kind=kind, state=StepState(state), job_id=f"job {name}", key=None, result=None, error=None
        )
        for (name, kind), state in zip(kinds, [*states, "pending"], strict=True)
    ]


def test_counts_of_all_shares_add_up() -> None:
    progress = ShareProgress(3)
    told = [progress.add(share, batches(done, total)) for share, done, total in (("1", 2, 4), ("2", 1, 4), ("1", 3, 4))]
    assert [(one.done, one.total) for one in told] == [(2, 12), (3, 12), (4, 12)]
    last = [progress.add(share, batches(total, total)) for share, total in (("1", 4), ("2", 4), ("3", 3))][-1]
    assert (last.done, last.total) == (11, 11)


def test_shares_are_one_piece_of_work_and_the_first_look_is_none_of_it() -> None:
    seen = Seen()
    following = Following(seen)
    following.watch(steps("active", "active", "pending"))
    following.watch(steps("done", "active", "active"))
    for name, done in (("bases", 50), ("histogram 1/2", 3), ("histogram 2/2", 5)):
        following._hear("", f"job observe {name}", 1, batches(done, 25))
    following.watch(steps("done", "done", "active"))
    following.watch(steps("done", "done", "failed"))
    assert seen.counts == [("observe", 3, 50), ("observe", 8, 50)]
    assert [state for state in seen.states if state[0] != "calibrate"] == [
        ("observe", "0 of 2 shares done", False),
        ("observe", "1 of 2 shares done", False),
        ("observe", "1 of 2 shares done, 1 failed", True),
    ]


def test_a_submission_without_shares_says_nothing_of_them() -> None:
    seen = Seen()
    Following(seen).watch(steps("active")[-1:])
    assert [name for name, _, _ in seen.states] == ["calibrate"]
