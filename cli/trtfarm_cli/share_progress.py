"""Shares of the data that are observed at the same time, shown as one piece of work."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from trtfarm.actions import ActionKind
from trtfarm.jobs.state import StepState
from trtfarm.shards import BASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtfarm.submissions.submission import StepStatus
    from trtfarm_cli.progress import View
    from trtfarm_worker.builder.events import Progress

_NAME = "observe"
_DONE = (StepState.DONE, StepState.HIT)
_GOING_ON = (StepState.PENDING, StepState.ACTIVE)
_LOST = (StepState.FAILED, StepState.CANCELLED, StepState.SKIPPED)


class ShareProgress:
    """Adds up what the observers of so many shares count; they may tell of it from several threads."""

    def __init__(self, shares: int) -> None:
        self._shares = shares
        self._lock = Lock()
        self._told: dict[str, Progress] = {}

    def add(self, share: str, told: Progress) -> Progress:
        """Where all are now that one has told of itself; shares that did not yet are taken to be as large as others."""
        with self._lock:
            self._told[share] = told
            totals = [one.total or 0 for one in self._told.values()]
            expected = sum(totals) * self._shares // len(totals)
            return replace(told, done=sum(one.done for one in self._told.values()), total=expected)


class Shares:
    """The observations of a submission in a view; the first look at the data, for the bases, is not counted."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._jobs: dict[str, StepStatus] = {}
        self._progress: ShareProgress | None = None
        self._said = ""

    def watch(self, steps: Sequence[StepStatus]) -> None:
        """A look at all steps of the submission."""
        observations = [step for step in steps if step.kind == ActionKind.OBSERVE]
        self._jobs |= {step.job_id: step for step in observations if step.job_id}
        states = [step.state for step in observations if BASES not in step.name]
        if states and (words := _words(states)) != self._said:
            self._said, self._progress = words, self._progress or ShareProgress(len(states))
            self._view.state(_NAME, words, ended=not any(state in _GOING_ON for state in states))

    def has(self, job_id: str) -> bool:
        """Whether a job observes."""
        return job_id in self._jobs

    def hear(self, job_id: str, told: Progress) -> None:
        """Its builder tells how far it is."""
        if self._progress and BASES not in self._jobs[job_id].name:
            everything = self._progress.add(job_id, told)
            self._view.progress(_NAME, told.stage, everything.done, everything.total, told.unit)


def _words(states: Sequence[StepState]) -> str:
    lost = [f", {count} {state}" for state in _LOST if (count := states.count(state))]
    return f"{sum(map(states.count, _DONE))} of {len(states)} shares done{''.join(lost)}"
