"""A submission on its way, as a view shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtfarm.jobs.state import StepState
from trtfarm_cli import output
from trtfarm_cli.progress import View

if TYPE_CHECKING:
    from trtfarm.jobs.job import Job
    from trtfarm.submissions.submission import Submission
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

    def watch(self, submission: Submission) -> None:
        for step in submission.steps:
            if step.job_id:
                self._names[step.job_id] = step.name
            if self._states.get(step.name) is not step.state:
                self._states[step.name] = step.state
                self._view.state(step.name, _WORDS[step.state], ended=step.state not in _GOING_ON)

    def excuse(self, job: Job, reason: str) -> None:
        """Nobody does the job now, for this reason."""
        self._view.state(self._names.get(job.id, job.kind), f"queued: {reason}")

    def hear(self, job: Job, event: Progress | LogLine) -> None:
        from trtfarm_worker.builder.events import Progress

        name = self._names.get(job.id, job.kind)
        if (job.id, job.attempt) not in self._attempts:
            self._attempts.add((job.id, job.attempt))
            self._view.state(name, "running" if job.attempt == 1 else f"running, attempt {job.attempt}")
        if isinstance(event, Progress):
            self._view.progress(name, event.stage, event.done, event.total, event.unit)
        elif event.level in {"warning", "error"}:
            output.say(f"{name}: {event.level}: {event.text}")
