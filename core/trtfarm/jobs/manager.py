"""The one place that changes a job's state."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trtfarm.database.clock import from_now, now
from trtfarm.database.insert import conflict_insert
from trtfarm.database.session import Database
from trtfarm.database.work import LIVE_JOBS, EventRow, JobRow
from trtfarm.errors import (
    BuilderCancelledError,
    BuilderCrashError,
    ClaimLostError,
    NotFoundError,
    TrtfarmError,
    UsageError,
)
from trtfarm.ids import new_id
from trtfarm.jobs.history import STATE_CHANGED
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.rules import after_failure, after_lost_worker, after_release
from trtfarm.jobs.state import LIVE, RETRYABLE, TRANSITIONS, JobState

# The table, not the mapped class: a session hands out mapped rows it read before, these statements read anew.
_jobs = cast(Table, JobRow.__table__)


class JobManager:
    """Submits, claims and ends jobs.

    Every change is a conditional UPDATE guarded by the state and, once claimed, by the attempt: of any number of
    processes that try the same change, one succeeds. Times are the database's.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 60.0, max_attempts: int = 3) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts

    def submit(
        self,
        session: Session,
        *,
        kind: str,
        key: str,
        request: dict[str, Any],
        priority: int = 0,
        project: str = "default",
    ) -> tuple[Job, bool]:
        """The live job of this key, and whether it was made now. The caller commits, and publishes only after that.

        A second submission of a live key attaches to its job; it can raise the priority and withdraws a request to
        cancel. A quarantined job is returned as it is: running it again would cost more workers.
        """
        newest = select(_jobs).where(_jobs.c.key == key).order_by(_jobs.c.created.desc(), _jobs.c.id.desc()).limit(1)
        last = _first(session, newest)
        if last is not None and last.state is JobState.QUARANTINED:
            return last, False
        while True:
            made = self._insert(session, kind=kind, key=key, request=request, priority=priority, project=project)
            if made is not None:
                return made, True
            joined = self._join(session, key, priority)
            if joined is not None:
                return joined, False

    def claim(self, job_id: str, owner: str) -> Claim | None:
        """The right to run a queued job; None if it is not queued (any more)."""
        return self._claim(_jobs.c.id == job_id, owner)

    def claim_next(self, owner: str, kinds: Collection[str]) -> Claim | None:
        """The right to run the queued job of these kinds that has waited longest in the highest priority."""
        first = (
            select(_jobs.c.id)
            .where(_jobs.c.state == JobState.QUEUED, _jobs.c.kind.in_(kinds))
            .order_by(_jobs.c.priority.desc(), _jobs.c.queued_at, _jobs.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return self._claim(_jobs.c.id == first.scalar_subquery(), owner)

    def beat(self, claim: Claim) -> bool:
        """Renews the lease; True if someone asks for the job to be cancelled.

        Raises ClaimLostError when the claim holds no more: the work must stop, its result will not be taken.
        """
        renewed = update(_jobs).where(*_held_by(claim)).values(lease_until=from_now(self._lease_seconds))
        with self._database.write() as session:
            found = session.execute(renewed.returning(_jobs.c.cancel_requested)).first()
        if found is None:
            raise _claim_lost(claim)
        return bool(found.cancel_requested)

    def hold(self, session: Session, claim: Claim) -> None:
        """Keeps the claim as it is until the transaction ends, so that a result is not written in vain.

        Raises ClaimLostError when the claim holds no more.
        """
        _held(session, claim)

    def finish(self, session: Session, claim: Claim, result: dict[str, Any]) -> Job:
        """Ends the job with its result, in the transaction that also writes the rows of the result.

        Raises ClaimLostError when the claim holds no more; the caller's transaction must then roll back.
        """
        return _move(session, _held(session, claim), JobState.DONE, result=result, error=None)

    def fail(self, claim: Claim, error: TrtfarmError) -> Job:
        """Ends the attempt; the job fails, is cancelled, or is queued again (`rules.after_failure`)."""
        if isinstance(error, BuilderCancelledError):
            return self.release(claim)
        with self._database.write() as session:
            job = _held(session, claim)
            return _move(session, job, after_failure(job, error), error=error.as_dict())

    def release(self, claim: Claim) -> Job:
        """Gives a job back unfinished: cancelled if that was asked for, else queued, and the attempt does not count.

        For a worker that shuts down, and for a stop that a later submission withdrew while it was being made.
        """
        with self._database.write() as session:
            return _give_back(session, _held(session, claim))

    def cancel(self, job_id: str) -> Job:
        """Ends a queued job, asks the worker of a running one to stop, and leaves an ended one as it is."""
        with self._database.write() as session:
            job = _locked(session, job_id)
            if job.state is JobState.QUEUED:
                return _move(session, job, JobState.CANCELLED)
            if job.state is JobState.RUNNING:
                return _change(session, job, "cancel requested", cancel_requested=True)
            return job

    def retry(self, job_id: str) -> Job:
        """Queues a job that ended without a result again, with all its attempts.

        Raises UsageError for a job that is done or live, or whose key another live job has.
        """
        try:
            with self._database.write() as session:
                job = _locked(session, job_id)
                if job.state not in RETRYABLE:
                    raise UsageError(f"job {job.id} is {job.state}: only a failed or stopped job can be tried again")
                attempts = job.attempt + self._max_attempts
                return _move(session, job, JobState.QUEUED, max_attempts=attempts, cancel_requested=False)
        except IntegrityError as error:
            raise UsageError(
                f"another job is doing what {job_id} was to do", remedy="follow that one: it has the same key"
            ) from error

    def expire(self) -> list[Job]:
        """Takes jobs away from workers whose lease has run out; returns the jobs as they are now."""
        with self._database.write() as session:
            lost = _running(session, _jobs.c.lease_until < now())
            return [_move(session, job, after_lost_worker(job), error=_lost_worker(job)) for job in lost]

    def abandon(self, owner: str, *, counts: bool) -> list[Job]:
        """Takes its jobs away from a process known to be dead; returns the jobs as they are now.

        `counts` says whether the attempts count against the jobs, as they do when a lease runs out.
        """
        with self._database.write() as session:
            lost = _running(session, _jobs.c.owner == owner)
            if counts:
                return [_move(session, job, after_lost_worker(job), error=_lost_worker(job)) for job in lost]
            return [_give_back(session, job) for job in lost]

    def unhinted(self, seconds: float, limit: int = 100) -> list[Job]:
        """Queued jobs that the broker has not been told of for so many seconds, most urgent first."""
        waiting = (
            select(_jobs)
            .where(_jobs.c.state == JobState.QUEUED)
            .where(or_(_jobs.c.hinted_at.is_(None), _jobs.c.hinted_at < from_now(-seconds)))
            .order_by(_jobs.c.priority.desc(), _jobs.c.queued_at, _jobs.c.id)
            .limit(limit)
        )
        with self._database.read() as session:
            return [Job(**row) for row in session.execute(waiting).mappings()]

    def hinted(self, job_ids: Collection[str]) -> None:
        """Notes that the broker has been told of these jobs."""
        with self._database.write() as session:
            session.execute(update(_jobs).where(_jobs.c.id.in_(job_ids)).values(hinted_at=now()))

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises NotFoundError."""
        with self._database.read() as session:
            return _found(_first(session, select(_jobs).where(_jobs.c.id == job_id)), job_id)

    def _insert(self, session: Session, **values: Any) -> Job | None:
        """The new job, or None if a live one has the key; waits for a writer that is about to commit one."""
        statement = conflict_insert(session, JobRow).values(
            id=new_id("job"),
            state=JobState.QUEUED,
            attempt=0,
            max_attempts=self._max_attempts,
            cancel_requested=False,
            **values,
        )
        statement = statement.on_conflict_do_nothing(index_elements=["key"], index_where=LIVE_JOBS)
        job = _first(session, statement.returning(_jobs))
        if job is not None:
            _note(session, job, {"to": job.state})
        return job

    def _join(self, session: Session, key: str, priority: int) -> Job | None:
        """The live job of a key, wanted once more; None if it has just ended."""
        job = _first(session, _live(key).with_for_update())
        if job is None or (job.priority >= priority and not job.cancel_requested):
            return job
        return _change(session, job, "wanted again", priority=max(priority, job.priority), cancel_requested=False)

    def _claim(self, which: ColumnElement[bool], owner: str) -> Claim | None:
        statement = (
            update(_jobs)
            .where(which, _jobs.c.state == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                owner=owner,
                attempt=_jobs.c.attempt + 1,
                lease_until=from_now(self._lease_seconds),
                started=now(),
            )
        )
        with self._database.write() as session:
            job = _first(session, statement.returning(_jobs))
            if job is None:
                return None
            _note(session, job, {"from": JobState.QUEUED, "to": job.state, "owner": owner})
            return Claim(job=job, owner=owner, attempt=job.attempt)


def _first(session: Session, statement: Any) -> Job | None:
    row = session.execute(statement).mappings().first()
    return None if row is None else Job(**row)


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


def _live(key: str) -> Select[Any]:
    return select(_jobs).where(_jobs.c.key == key, _jobs.c.state.in_(LIVE))


def _locked(session: Session, job_id: str) -> Job:
    return _found(_first(session, select(_jobs).where(_jobs.c.id == job_id).with_for_update()), job_id)


def _held_by(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (_jobs.c.id == claim.job.id, _jobs.c.attempt == claim.attempt, _jobs.c.state == JobState.RUNNING)


def _held(session: Session, claim: Claim) -> Job:
    job = _first(session, select(_jobs).where(*_held_by(claim)).with_for_update())
    if job is None:
        raise _claim_lost(claim)
    return job


def _running(session: Session, which: ColumnElement[bool]) -> list[Job]:
    """Running jobs, locked; those that another process is changing right now are left to it."""
    found = select(_jobs).where(_jobs.c.state == JobState.RUNNING, which).order_by(_jobs.c.id)
    return [Job(**row) for row in session.execute(found.with_for_update(skip_locked=True)).mappings()]


def _give_back(session: Session, job: Job) -> Job:
    # The attempt is the fencing token and never goes back, so the limit moves on instead.
    return _move(session, job, after_release(job), max_attempts=job.max_attempts + 1)


def _claim_lost(claim: Claim) -> ClaimLostError:
    return ClaimLostError(
        f"attempt {claim.attempt} of job {claim.job.id} is no longer {claim.owner}'s",
        cause="its lease ran out, so the job was given to another worker or ended",
        remedy="nothing is lost: the attempt that holds the job now decides",
    )


def _lost_worker(job: Job) -> dict[str, Any]:
    """The error of an attempt that nobody reported on."""
    error = BuilderCrashError(
        f"worker {job.owner} vanished in attempt {job.attempt}",
        cause="it was killed, lost its machine, or could not reach the database",
        remedy="look at the worker's log; a job that no worker survives is quarantined until it is retried",
    )
    return error.as_dict()


def _move(session: Session, job: Job, to: JobState, **values: Any) -> Job:
    """Brings a job, as it was read, to another state; the one that was read must still be the one that is."""
    if to not in TRANSITIONS[job.state]:
        raise ValueError(f"no way leads from {job.state} to {to}")
    if to is JobState.QUEUED:
        values |= {"owner": None, "queued_at": now(), "hinted_at": None, "finished": None}
    else:
        values |= {"finished": now()}
    moved = _update(session, job, state=to, lease_until=None, **values)
    _note(session, moved, {"from": job.state, "to": to, "error": values.get("error")})
    return moved


def _change(session: Session, job: Job, what: str, **values: Any) -> Job:
    """Changes a job without changing its state."""
    changed = _update(session, job, **values)
    _note(session, changed, {"to": changed.state, "note": what})
    return changed


def _update(session: Session, job: Job, **values: Any) -> Job:
    unchanged = (_jobs.c.id == job.id, _jobs.c.attempt == job.attempt, _jobs.c.state == job.state)
    changed = _first(session, update(_jobs).where(*unchanged).values(**values).returning(_jobs))
    if changed is None:
        raise ClaimLostError(f"job {job.id} changed while it was being changed", remedy="try again")
    return changed


def _note(session: Session, job: Job, data: dict[str, Any]) -> None:
    session.execute(insert(EventRow), [{"job_id": job.id, "attempt": job.attempt, "kind": STATE_CHANGED, "data": data}])
