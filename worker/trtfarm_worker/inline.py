"""A client that sees its submission through: it runs the jobs that no worker would, and watches those that one does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from trtfarm.errors import StorageError
from trtfarm.farm import Farm
from trtfarm.jobs.history import STATE_CHANGED, events_since
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.settings import Settings
from trtfarm.submissions.submission import Submission
from trtfarm.waiting import why_waiting
from trtfarm.workers import list_workers
from trtfarm_worker.alive import CLIENT
from trtfarm_worker.announcing import Announcer
from trtfarm_worker.anticipation import Anticipation
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.garbage import collect_from_now_on
from trtfarm_worker.logs import logger
from trtfarm_worker.offers import Offer
from trtfarm_worker.places import Place, Places
from trtfarm_worker.presence import Presence, forget_dead, workers_up
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.toolchain import Toolchain

_log = logger()

#: How often the database is asked about jobs that run elsewhere: it cannot wake us, it is another process's.
_LOOK_SECONDS = 0.2
#: Threads that run jobs; never so many are needed, because a job is begun only where there is a place for it.
_THREADS = 256

#: Hears of the submission whenever it was looked at.
Watcher = Callable[[Submission], None]
Listener = Callable[[Job, Progress | LogLine], None]
#: Hears why a job stays queued, whenever the reason is another.
Excuser = Callable[[Job, str], None]
#: Hears where a job that runs elsewhere went.
Mover = Callable[[Event], None]


def see_through(
    farm: Farm,
    submission_id: str,
    toolchains: Sequence[Toolchain],
    *,
    watcher: Watcher,
    listener: Listener,
    excuser: Excuser = lambda _job, _reason: None,
    mover: Mover = lambda _event: None,
    ahead: Anticipation | None = None,
) -> Submission:
    """The submission at its end; `ahead` is what was begun before there was one.

    KeyboardInterrupt gives unfinished jobs back to the queue and passes through.
    """
    collect_from_now_on()
    farm.sweep()
    ahead = ahead or Anticipation(farm.settings, toolchains)
    places = Places(farm.settings.slots, lambda: ahead.keeper)
    with Presence(farm, CLIENT) as presence:
        # Jobs that a finished job queued are found by the next look, so nobody needs to be told.
        runner = Runner(
            farm,
            presence.owner,
            lambda: toolchains,
            publish=lambda _ids: None,
            listener=listener,
            places=places,
            build=ahead.build,
        )
        drive = _Drive(farm, submission_id, runner, watcher=watcher, listener=listener, excuser=excuser, mover=mover)
        return drive.until_ended()


class _Drive:
    def __init__(
        self,
        farm: Farm,
        submission_id: str,
        runner: Runner,
        *,
        watcher: Watcher,
        listener: Listener,
        excuser: Excuser,
        mover: Mover,
    ) -> None:
        self._farm = farm
        self._id = submission_id
        self._runner = runner
        self._watcher = watcher
        self._listener = listener
        self._excuser = excuser
        self._mover = mover
        self._changed = threading.Event()
        self._mine: dict[str, Future[None]] = {}
        #: Those that nobody had begun at the last look.
        self._queued: set[str] = set()
        #: Jobs that run elsewhere, and the newest of their events that was passed on.
        self._followed: dict[str, Job] = {}
        self._seen: dict[str, int] = {}
        self._excuses: dict[str, str] = {}

    def until_ended(self) -> Submission:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="job") as pool:
            try:
                while True:
                    self._changed.clear()
                    self._collect()
                    submission = self._farm.submissions.get(self._id)
                    self._follow()
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
        if jobs:
            self._free_the_dead()
        queued = [job for job in jobs if job.state is JobState.QUEUED]
        if queued:
            self._start(queued, pool)
        self._queued = {job.id for job in queued} - self._mine.keys()
        self._followed |= {job.id: job for job in jobs if job.state is JobState.RUNNING}
        return not ended

    def _start(self, queued: list[Job], pool: ThreadPoolExecutor) -> None:
        """Begins those of the queued jobs that no worker would do and that there is a place for."""
        workers = list_workers(self._farm.database, left=True)
        left = [(job, reason) for job in queued if (reason := why_waiting(job.need, workers))]
        mine = self._runner.offer() if left else Offer()
        for job, reason in left:
            if not mine.does(job.need):
                self._excuse(job, [reason, *mine.troubles(job.capability)])
            elif (place := self._runner.reserve(job.need.opening)) is not None:
                self._followed.pop(job.id, None)
                self._mine[job.id] = pool.submit(self._run, job.id, place)
            else:
                self._excuse(job, mine.troubles(job.capability))

    def _excuse(self, job: Job, reasons: Sequence[str]) -> None:
        reason = "; ".join(reasons)
        if reason and self._excuses.get(job.id) != reason:
            self._excuses[job.id] = reason
            self._excuser(job, reason)

    def _run(self, job_id: str, place: Place) -> None:
        try:
            self._runner.run(job_id, place)
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

    def _follow(self) -> None:
        """Follows those that somebody has begun since the last look, even if they have ended by now."""
        jobs = [self._farm.jobs.get(job_id) for job_id in self._queued]
        self._followed |= {job.id: job for job in jobs if job.state is not JobState.QUEUED}

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
                elif event.kind == STATE_CHANGED:
                    self._mover(event)


def announce(farm: Farm, job_ids: Sequence[str], *, wanted: bool = False) -> None:
    """Tells the broker of new jobs when a worker could hear it, or when nobody else will run them (`wanted`).

    The jobs are committed, and a message is a hint: where the database is away just now, that is no failure of theirs.
    """
    try:
        if job_ids and (wanted or workers_up(farm)):
            _announcer(farm.settings)(farm, job_ids)
    except StorageError as error:
        _log.warning("nobody was told of new jobs; they are found all the same", error=error.message)


@cache
def _announcer(settings: Settings) -> Announcer:
    """One for as long as the process lives, with its connections to the broker."""
    from trtfarm_worker.app import CeleryPublisher  # noqa: PLC0415 - a client that runs its jobs itself needs no Celery

    return Announcer(CeleryPublisher(settings))
