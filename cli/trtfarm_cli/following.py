"""A submission on its way, as a view shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtfarm.actions import ActionKind
from trtfarm.jobs.state import JobState, StepState
from trtfarm_cli import output
from trtfarm_cli.progress import View
from trtfarm_cli.share_progress import Shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtfarm.jobs.job import Event, Job
    from trtfarm.submissions.submission import StepStatus
    from trtfarm_worker.builder.events import LogLine, Progress

_WORDS = {
    StepState.PENDING: "waits",
    StepState.ACTIVE: "queued",
    StepState.HIT: "found, nothing to do",
    StepState.DONE: "done",
    StepState.FAILED: "failed",
    StepState.SKIPPED: "skipped",
    StepState.CANCELLED: "cancelled",
}
_GOING_ON = (StepState.PENDING, StepState.ACTIVE)


class Following:
    """Tells a view what changed: states from looks at the submission, counts from the builders themselves."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names: dict[str, str] = {}
        self._states: dict[str, StepState] = {}
        self._attempts: set[tuple[str, int]] = set()
        self._shares = Shares(view)

    def watch(self, steps: Sequence[StepStatus]) -> set[str]:
        """A look at all steps of the submission; returns the names of those whose state is another one now."""
        new = set()
        self._shares.watch(steps)
        for step in steps:
            if step.job_id:
                self._names[step.job_id] = step.name
            if self._states.get(step.name) is not step.state:
                self._states[step.name] = step.state
                new.add(step.name)
                if step.kind != ActionKind.OBSERVE:
                    self._view.state(step.name, _WORDS[step.state], ended=step.state not in _GOING_ON)
        return new

    def knows(self, job_id: str) -> bool:
        """Whether it is known of which step a job is."""
        return job_id in self._names

    def excuse(self, job: Job, reason: str) -> None:
        """Nobody does the job now, for this reason."""
        self._view.state(self._names.get(job.id, job.kind), f"queued: {reason}")

    def hear(self, job: Job, event: Progress | LogLine) -> None:
        self._hear(self._names.get(job.id, job.kind), job.id, job.attempt, event)

    def replay(self, event: Event) -> None:
        """What a job's history says."""
        from trtfarm.jobs.history import STATE_CHANGED
        from trtfarm_worker.builder.events import LogLine, Progress

        name = self._names.get(event.job_id, event.job_id)
        if event.kind == "progress":
            self._hear(name, event.job_id, event.attempt, Progress(**event.data))
        elif event.kind == "log":
            self._hear(name, event.job_id, event.attempt, LogLine(**event.data))
        elif event.kind == STATE_CHANGED:
            self.moved(event)

    def moved(self, event: Event) -> None:
        """Somebody took a job, or it waits once more: its worker stopped, died or had an error."""
        name = self._names.get(event.job_id, event.job_id)
        if self._shares.has(event.job_id) or self._ended(name):
            return
        if event.data["to"] == JobState.RUNNING:
            self._running(name, event.job_id, event.attempt)
        elif waits_again(event):
            error = event.data.get("error")
            self._view.state(name, "queued again" + (f", after an error: {error['message']}" if error else ""))

    def _hear(self, name: str, job_id: str, attempt: int, event: Progress | LogLine) -> None:
        from trtfarm_worker.builder.events import Progress

        shared = self._shares.has(job_id)
        ended = self._ended(name)
        if not (shared or ended):
            self._running(name, job_id, attempt)
        if isinstance(event, Progress):
            if shared:
                self._shares.hear(job_id, event)
            elif not ended:
                self._view.progress(name, event.stage, event.done, event.total, event.unit)
        elif event.level in {"warning", "error"}:
            output.say(f"{name}: {event.level}: {event.text}")

    def _ended(self, name: str) -> bool:
        """Who joins late hears the history of what has ended, too."""
        return self._states.get(name, StepState.ACTIVE) not in _GOING_ON

    def _running(self, name: str, job_id: str, attempt: int) -> None:
        if (job_id, attempt) not in self._attempts:
            self._attempts.add((job_id, attempt))
            self._view.state(name, "running" if attempt == 1 else f"running, attempt {attempt}")


def waits_again(event: Event) -> bool:
    """Whether a job was put back into the queue, where its first event only says that it is there."""
    from trtfarm.jobs.history import STATE_CHANGED

    return event.kind == STATE_CHANGED and event.data["to"] == JobState.QUEUED and "from" in event.data
