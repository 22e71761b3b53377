"""One attempt of a job: what it reads is fetched, its builder works, and the files that it made are stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from trtfarm.actions import ActionKind
from trtfarm.errors import BuilderCancelledError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.file_errors import storage_errors
from trtfarm.jobs.job import Claim, Job
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.committing import Work, commit_rows
from trtfarm_worker.folders import Folders
from trtfarm_worker.heartbeat import Heartbeat
from trtfarm_worker.pace import Pace
from trtfarm_worker.places import Place
from trtfarm_worker.steps import handover
from trtfarm_worker.steps.registry import STEP_KINDS
from trtfarm_worker.steps.shared import Shared
from trtfarm_worker.steps.step import Outcome, StepKind, Task
from trtfarm_worker.toolchains.toolchain import Toolchain

#: Hears of every event of a job that runs here, in the job's thread; what it raises comes out of `Runner.run`.
Listener = Callable[[Job, Progress | LogLine], None]
#: What does a step: `run_builder`, in a process of its own.
Build = Callable[..., BuilderAnswer]


class ListenerFailed(Exception):  # noqa: N818 - never leaves the runner
    """Whoever listened cannot any more, which says nothing about the job."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What attempts whose jobs were claimed together have in common."""

    place: Place
    heartbeat: Heartbeat
    folders: Folders
    toolchains: tuple[Toolchain, ...]
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A claim that runs now, and where."""

    claim: Claim
    around: Surroundings
    begun: float = field(default_factory=time.monotonic)

    def work(self, task: Task, outcome: Outcome, *, whole: bool = True) -> Work:
        """What it gave."""
        lines, made = self.around.heartbeat.take(), task.made
        return Work(claim=self.claim, outcome=outcome, made=made, lines=lines, begun=self.begun, whole=whole)


class Attempts:
    """Makes attempts; threads may share it."""

    def __init__(self, farm: Farm, *, listener: Listener, pace: Pace, build: Build = run_builder) -> None:
        self._farm = farm
        self._listener = listener
        self._pace = pace
        self._build = build

    def work(self, attempt: Attempt, token: CancelToken) -> Work:
        """Has the builder do the job, and stores the files that it made; what remains is to write their rows.

        Raises the error that ends the attempt, ListenerFailed.
        """
        job, heartbeat = attempt.claim.job, attempt.around.heartbeat
        kind = STEP_KINDS[ActionKind(job.kind)]
        with storage_errors(self._farm.settings.home), heartbeat.beside(attempt.claim, token):
            task = self._task(attempt)
            if job.attempt > 1 and (left := handover.taken(task)):
                return attempt.work(task, kind.keep(task, left))
            try:
                return attempt.work(task, self._built(task, kind, heartbeat, token))
            except TrtfarmError as error:
                kept = self._kept_of(task, kind, attempt, error)
                if kept is None:
                    raise
                heartbeat.tell(LogLine(level="warning", text=f"what was handed over is kept; then: {error.message}"))
                return attempt.work(task, kept, whole=False)

    def _task(self, attempt: Attempt) -> Task:
        """The job with its folders; all but its scratch are there until its result is committed."""
        job, around = attempt.claim.job, attempt.around
        return Task(
            farm=self._farm,
            job=job,
            toolchains=around.toolchains,
            inputs=around.folders.inputs(job),
            scratch=around.folders.scratch(job),
            kept=around.folders.kept,
            gpu=around.place.gpu,
            shared=around.shared,
        )

    def _built(self, task: Task, kind: StepKind, heartbeat: Heartbeat, token: CancelToken) -> Outcome:
        def hear(event: Progress | LogLine) -> None:
            heartbeat.tell(event)
            try:
                self._listener(task.job, event)
            except Exception as error:
                raise ListenerFailed from error

        invocation = kind.prepare(task)
        request = BuilderRequest(
            toolchain=invocation.toolchain,
            step=invocation.step,
            args=invocation.args,
            limits=Limits.of(self._farm.settings),
            scratch=task.scratch,
            gpu=task.gpu.turn if task.gpu else None,
        )
        answer = self._build(request, on_event=hear, on_handed_over=partial(handover.take, task), should_stop=token)
        used = {"seconds": round(answer.seconds, 3), "peak_memory_bytes": answer.peak_memory_bytes}
        heartbeat.note("builder", used)
        self._pace.builder_took(task.job.capability, answer.seconds)
        outcome = kind.keep(task, answer)
        for text in outcome.warnings:
            hear(LogLine(level="warning", text=text))
        return outcome

    def _kept_of(self, task: Task, kind: StepKind, attempt: Attempt, error: TrtfarmError) -> Outcome | None:
        """What is kept of a builder that failed; None where that is nothing, or is kept already.

        Of a job that is stopped it is kept now: when it runs again, or whether, nobody knows.
        """
        left = handover.taken(task)
        outcome = kind.keep(task, left) if left else None
        if outcome is None or not isinstance(error, BuilderCancelledError):
            return outcome
        commit_rows(self._farm, attempt.work(task, outcome))
        return None
