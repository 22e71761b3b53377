"""Who operates a farm in a campaign: stops jobs and has them done after all, sends workers away, and keeps engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.chaos.history import History
from trtfarm.catalog.pinning import pin_engine
from trtfarm.database.clock import from_now
from trtfarm.database.schema import EngineRow, JobRow, StepRow, SubmissionRow
from trtfarm.errors import TrtfarmError, UsageError
from trtfarm.farm import Farm
from trtfarm.jobs.state import LIVE, JobState, StepState
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Sender
from trtfarm.workers import WorkerState, ready_workers, set_state, state_of

#: How long tables and data stay that nobody asks for.
UNUSED_FOR = timedelta(seconds=60)
#: Only jobs of submissions that are younger are stopped: what they have found stays until they go on.
_YOUNG_SECONDS = 15.0

Thing = TypeVar("Thing")


class Operator:
    """Each act gives what it was done to, or None where there is nothing to do it to now; `look` ends what is due."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._paused: list[tuple[float, str]] = []
        self._stopped: list[tuple[float, str]] = []

    @property
    def done(self) -> bool:
        """Whether nothing of what was begun is left to be ended."""
        return not (self._paused or self._stopped)

    def look(self) -> None:
        """Has workers go on, and jobs done that were stopped, when it is time for that."""
        self._paused = self._left(self._paused, self._resume)
        self._stopped = self._left(self._stopped, self._have_done)

    def pause(self, draw: float, seconds: float) -> str | None:
        worker = self._send_away(draw, WorkerState.PAUSED)
        if worker is not None:
            self._paused.append((time.monotonic() + seconds, worker))
        return worker

    def drain(self, draw: float) -> str | None:
        return self._send_away(draw, WorkerState.DRAINING)

    def cancel(self, draw: float, seconds: float) -> str | None:
        """Stops a job that runs, for so long."""
        with Farm.open(self._settings) as farm:
            with farm.database.read() as session:
                job = _one_of(_running(session), draw)
            if job is not None:
                self._stopped.append((time.monotonic() + seconds, job))
                farm.cancel(job)
        return job

    def pin(self, draw: float) -> str | None:
        with Farm.open(self._settings) as farm:
            with farm.database.read() as session:
                engine = _one_of(session.scalars(select(EngineRow.id).where(~EngineRow.pinned)).all(), draw)
            return engine and pin_engine(farm.database, engine, pinned=True)

    def _send_away(self, draw: float, state: WorkerState) -> str | None:
        with Farm.open(self._settings) as farm:
            worker = _one_of([worker.id for worker in ready_workers(farm.database)], draw)
            return worker and set_state(farm.database, worker, state).id

    def _left(self, due: list[tuple[float, str]], end: Callable[[Farm, str], bool]) -> list[tuple[float, str]]:
        """What is not due yet, or could not be ended now."""
        now = time.monotonic()
        ripe = [name for at, name in due if at <= now]
        if not ripe:
            return due
        try:
            with Farm.open(self._settings) as farm:
                ended = {name for name in ripe if end(farm, name)}
        except TrtfarmError:
            return due  # the database is away: all of it can be done once more
        return [(at, name) for at, name in due if name not in ended]

    def _resume(self, farm: Farm, worker: str) -> bool:
        """One that has died meanwhile needs nothing."""
        if state_of(farm.database, worker) is WorkerState.PAUSED:
            set_state(farm.database, worker, WorkerState.READY)
        return True

    def _have_done(self, farm: Farm, job_id: str) -> bool:
        """Whether a job that was stopped needs no more: it is tried again, or what it was for is submitted again."""
        job = farm.jobs.get(job_id)
        if job.state is not JobState.CANCELLED:
            return not job.state.live
        try:
            farm.retry(job_id)
        except UsageError:
            with farm.database.read() as session:
                rival = session.scalar(select(JobRow.id).where(JobRow.key == job.key, JobRow.state.in_(LIVE)))
            if rival is not None:
                return False
            self._submit_again(farm, job_id)
        return True

    def _submit_again(self, farm: Farm, job_id: str) -> None:
        """Clean-up has taken what the job was to be done with."""
        lost = select(StepRow.submission_id).where(StepRow.job_id == job_id, StepRow.state == StepState.CANCELLED)
        with farm.database.read() as session:
            rows = session.scalars(select(SubmissionRow).where(SubmissionRow.id.in_(lost))).all()
        for row in rows:
            self._history.note("cancelling", submission=row.id)
            submit_again(farm, row)


def submit_again(farm: Farm, row: SubmissionRow) -> str:
    """Asks for what a submission asked for; its id."""
    wanted = {name: value for name, value in row.request.items() if name != "fresh"}
    return farm.submit(SubmissionRequest.from_dict(wanted), sender=Sender(project=row.project))[0]


def _running(session: Session) -> Sequence[str]:
    """Jobs that run for submissions that are young."""
    begun = func.min(SubmissionRow.created)
    wanted = select(JobRow.id).join(StepRow, StepRow.job_id == JobRow.id).join(SubmissionRow)
    young = wanted.where(JobRow.state == JobState.RUNNING).group_by(JobRow.id).having(begun > from_now(-_YOUNG_SECONDS))
    return session.scalars(young).all()


def _one_of(things: Sequence[Thing], draw: float) -> Thing | None:
    return things[int(draw * len(things))] if things else None
