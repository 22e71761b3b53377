"""A client that sees its submission through: it runs the jobs itself when no worker is up, and watches when one is."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from trtfarm.farm import Farm
from trtfarm.jobs.history import events_since
from trtfarm.jobs.job import Job
from trtfarm.jobs.reconcile import publish
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.submissions.submission import Submission
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.presence import CLIENT, Presence, forget_dead, workers_up
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.toolchain import Toolchain

#: How often the database is asked about jobs that run elsewhere: it cannot wake us, it is another process's.
_LOOK_SECONDS = 0.2

#: Hears of the submission whenever it was looked at.
Watcher = Callable[[Submission], None]
Listener = Callable[[Job, Progress | LogLine], None]


def see_through(
    farm: Farm,
    submission_id: str,
    toolchains: Sequence[Toolchain],
    *,
    watcher: Watcher,
    listener: Listener,
) -> Submission:
    """The submission at its end. KeyboardInterrupt gives unfinished jobs back to the queue and passes through."""
    gc.enable()  # short commands do without, and this may take hours
    farm.sweep()
    with Presence(farm, CLIENT) as presence:
        # Jobs that a finished job queued are found by the next look, so nobody needs to be told.
        runner = Runner(farm, presence.owner, lambda: toolchains, publish=lambda _ids: None, listener=listener)
        return _Drive(farm, submission_id, runner, watcher=watcher, listener=listener).until_ended()


class _Drive:
    def __init__(self, farm: Farm, submission_id: str, runner: Runner, *, watcher: Watcher, listener: Listener) -> None:
        self._farm = farm
        self._id = submission_id
        self._runner = runner
        self._watcher = watcher
        self._listener = listener
        self._changed = threading.Event()
        self._mine: dict[str, Future[None]] = {}
        #: Jobs that run elsewhere, and the newest of their events that was passed on.
        self._followed: dict[str, Job] = {}
        self._seen: dict[str, int] = {}

    def until_ended(self) -> Submission:
        with ThreadPoolExecutor(self._farm.settings.slots, thread_name_prefix="job") as pool:
            try:
                while True:
                    self._changed.clear()
                    self._collect()
                    submission = self._farm.submissions.get(self._id)
                    self._pass_on()
                    self._watcher(submission)
                    if submission.state is not SubmissionState.ACTIVE:
                        return submission
                    if self._look(submission, pool):
                        self._changed.wait(_LOOK_SECONDS)
            except BaseException:
                self._runner.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _look(self, submission: Submission, pool: ThreadPoolExecutor) -> bool:
        """Starts what can be started here and follows the rest; False when the submission moved meanwhile."""
        jobs = [
            self._farm.jobs.get(step.job_id)
            for step in submission.steps
            if step.state is StepState.ACTIVE and step.job_id and step.job_id not in self._mine
        ]
        ended = [job for job in jobs if not job.state.live]
        for job in ended:  # whoever ended it may have died before it could move the submission on
            self._farm.after_job(job.id)
        queued = [job for job in jobs if job.state is JobState.QUEUED]
        if queued and not workers_up(self._farm):
            for job in queued:
                self._followed.pop(job.id, None)
                self._mine[job.id] = pool.submit(self._run, job.id)
        elif jobs:
            self._free_the_dead()
        self._followed |= {job.id: job for job in jobs if job.state is JobState.RUNNING}
        return not ended

    def _run(self, job_id: str) -> None:
        try:
            self._runner.run(job_id)
        finally:
            self._changed.set()

    def _collect(self) -> None:
        """Forgets the jobs that ran here and have ended; an error that was not the job's own is raised."""
        for job_id in [job_id for job_id, future in self._mine.items() if future.done()]:
            self._mine.pop(job_id).result()

    def _free_the_dead(self) -> None:
        """Takes jobs away from processes that died, so that somebody else can do them."""
        forget_dead(self._farm)
        self._farm.jobs.expire()

    def _pass_on(self) -> None:
        """Tells what jobs that run elsewhere have said since the last look."""
        for job in list(self._followed.values()):
            if not self._farm.jobs.get(job.id).state.live:  # asked before its events: then none comes after them
                del self._followed[job.id]
            for event in events_since(self._farm.database, job.id, self._seen.get(job.id, 0)):
                self._seen[job.id] = event.id
                if event.kind == "progress":
                    self._listener(job, Progress(**event.data))
                elif event.kind == "log":
                    self._listener(job, LogLine(**event.data))


def announce(farm: Farm, job_ids: Sequence[str], *, wanted: bool = False) -> None:
    """Tells the broker of new jobs when a worker could hear it, or when nobody else will run them (`wanted`)."""
    if not job_ids or not (wanted or workers_up(farm)):
        return
    from trtfarm_worker.app import CeleryPublisher  # noqa: PLC0415 - a client that runs its jobs itself needs no Celery

    publish(farm.jobs, CeleryPublisher(farm.settings), [farm.jobs.get(job_id) for job_id in job_ids])
