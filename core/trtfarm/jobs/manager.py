"""The one place that changes a job's state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trtfarm.database.clock import now
from trtfarm.database.session import Database
from trtfarm.errors import BuilderCancelledError, TrtfarmError, UsageError
from trtfarm.jobs import rows
from trtfarm.jobs.claiming import Claims
from trtfarm.jobs.hints import Hints
from trtfarm.jobs.job import Claim, Ended, Job
from trtfarm.jobs.look import Look, look
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.rules import after_failure
from trtfarm.jobs.state import RETRYABLE, JobState
from trtfarm.jobs.wishes import Granted, Wish, submit_all
from trtfarm.requirements import ANYWHERE, Requirements
from trtfarm.routing import NOWHERE, Station


class JobManager:
    """Submits, claims and ends jobs.

    Every change is a conditional UPDATE guarded by the state and, once claimed, by the attempt: of any number of
    processes that try the same change, one succeeds. Times are the database's.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 60.0, max_attempts: int = 3) -> None:
        self.hints = Hints(database)
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
        requires: Requirements = ANYWHERE,
    ) -> tuple[Job, bool]:
        """The live job of this key, and whether it was made now. The caller commits, and publishes only after that.

        A second submission of a live key attaches to its job; it can raise the priority and change what is required
        (`wishes.agreed`), and withdraws a request to cancel. A quarantined job is returned as it is: running it again
        would cost more workers.
        """
        wish = Wish(kind=kind, key=key, request=request, priority=priority, project=project, requires=requires)
        granted = self.submit_all(session, [wish])[key]
        return rows.by_id(session, granted.job_id), granted.made

    def submit_all(self, session: Session, wishes: Iterable[Wish]) -> dict[str, Granted]:
        """The same for several, whose keys differ; by key."""
        return submit_all(session, wishes, max_attempts=self._max_attempts)

    def claim(self, job_id: str, owner: str) -> Claim | None:
        """The right to run this very job, for a client that does its own; None if it is not queued (any more)."""
        with self._database.steady_write() as session:
            return next(iter(self._claims(session, owner).of_job(job_id)), None)

    def look(self, capabilities: Collection[str], station: Station = NOWHERE) -> Look:
        """What a free worker at a station finds to do that needs one of its capabilities, in the order of `sharing`.

        What it takes in the end, `claim_several` decides.
        """
        if not capabilities:
            return Look(turns=())
        with self._database.steady_read() as session:
            return look(session, capabilities, capabilities, station)

    def claim_next(
        self, owner: str, capability: str, offered: Collection[str] = (), station: Station = NOWHERE
    ) -> Claim | None:
        """The right to run a queued job that needs a capability, of the project whose turn it is; None if none is left.

        `offered` is what the worker could do besides: jobs of these that a project runs count, too. It is done at
        `station`, whose GPU is the one that the job would have. Of workers that ask at the same time each gets another
        job, and none waits for another but for a project with a limit.
        """
        claims = self.claim_several(owner, capability, offered, station)
        return claims[0] if claims else None

    def claim_several(
        self,
        owner: str,
        capability: str,
        offered: Collection[str] = (),
        station: Station = NOWHERE,
        *,
        most: int = 1,
        anyway: int = 1,
        seen: Look | None = None,
    ) -> list[Claim]:
        """The same, and up to `most` - 1 of the jobs that come next, for the owner to do after the first one.

        They were never tried before, and count as tried only from their `begun` on. Beyond `anyway` in all there are no
        more of them than would be left for each worker: nothing waits behind another job while some worker has nothing
        to do.

        What the worker has `seen` a moment ago spares it another look, unless others were quicker.
        """
        with self._database.steady_write() as session:
            claims = self._claims(session, owner)
            found = seen and claims.next(seen.at(capability, station), most=most, anyway=anyway, fresh=False)
            if found:
                return found
            now_there = look(session, [capability], {capability, *offered}, station)
            return claims.next(now_there, most=most, anyway=anyway, fresh=True)

    def _claims(self, session: Session, owner: str) -> Claims:
        return Claims(session, owner, self._lease_seconds)

    def beat(self, claim: Claim) -> bool:
        """Renews the lease; True if someone asks for the job to be cancelled.

        Raises ClaimLostError when the claim holds no more: the work must stop, its result will not be taken.
        """
        with self._database.write() as session:
            found = session.execute(rows.renewed(claim, self._lease_seconds)).first()
        if found is None:
            raise rows.claim_lost(claim)
        return bool(found.cancel_requested)

    def begun(self, claim: Claim) -> None:
        """Notes that a job of `claim_several` runs, so that its attempt counts."""
        with self._database.write() as session:
            session.execute(update(JOBS).where(*rows.held_by(claim), JOBS.c.started.is_(None)).values(started=now()))

    def hold(self, session: Session, claim: Claim) -> None:
        """Keeps the claim as it is until the transaction ends, so that a result is not written in vain.

        Raises ClaimLostError when the claim holds no more.
        """
        if not self.hold_all(session, [claim]):
            raise rows.claim_lost(claim)

    def hold_all(self, session: Session, claims: Iterable[Claim]) -> list[Claim]:
        """The same for several; those that hold no more are left out."""
        return rows.hold_all(session, claims)

    def finish(self, session: Session, claim: Claim, result: dict[str, Any]) -> Job:
        """Ends the job with its result, in the transaction that also writes the rows of the result.

        Raises ClaimLostError when the claim holds no more; the caller's transaction must then roll back.
        """
        self.finish_all(session, [Ended(claim=claim, result=result)])
        return rows.by_id(session, claim.job.id)

    def finish_all(self, session: Session, ended: Sequence[Ended]) -> None:
        """The same for several; ClaimLostError when any of the claims holds no more."""
        rows.finish_all(session, ended)

    def fail(self, claim: Claim, error: TrtfarmError) -> Job:
        """Ends the attempt; the job fails, is cancelled, or is queued again (`rules.after_failure`)."""
        if isinstance(error, BuilderCancelledError):
            return self.release(claim)
        with self._database.write() as session:
            job = rows.held(session, claim)
            return rows.move(session, job, after_failure(job, error), error=error.as_dict())

    def release(self, claim: Claim) -> Job:
        """Gives a job back unfinished: cancelled if that was asked for, else queued, and the attempt does not count.

        For a worker that shuts down, and for a stop that a later submission withdrew while it was being made.
        """
        with self._database.write() as session:
            return rows.give_back(session, rows.held(session, claim))

    def cancel(self, job_id: str) -> Job:
        """Ends a queued job, asks the worker of a running one to stop, and leaves an ended one as it is."""
        with self._database.write() as session:
            return rows.stop(session, rows.by_id(session, job_id, lock=True))

    def withdraw(self, session: Session, job_id: str, wanted_by: Callable[[], Sequence[str]]) -> Job | None:
        """Takes back one of the wishes for a job: it is cancelled if that was the last; None if it has ended before.

        `wanted_by` tells the projects of the others. It is asked when nobody can join the job or leave it; a job whose
        own project is not among them becomes the first one's.
        """
        job = rows.by_id(session, job_id, lock=True)
        if not job.state.live:
            return None
        others = wanted_by()
        if not others:
            return rows.stop(session, job)
        if job.project in others:
            return job
        return rows.change(session, job, "passed on to another project", project=others[0])

    def retry(self, job_id: str) -> Job:
        """Queues a job that ended without a result again, with all its attempts.

        Raises UsageError for a job that is done or live, or whose key another live job has.
        """
        with self._database.write() as session:
            return self.requeue(session, job_id)

    def requeue(self, session: Session, job_id: str) -> Job:
        """The same in the transaction of who makes others wait for the job again."""
        job = rows.by_id(session, job_id, lock=True)
        if job.state not in RETRYABLE:
            raise UsageError(f"job {job.id} is {job.state}: only a failed or stopped job can be tried again")
        attempts = job.attempt + self._max_attempts
        try:
            return rows.move(session, job, JobState.QUEUED, max_attempts=attempts, cancel_requested=False)
        except IntegrityError as error:
            raise UsageError(
                f"another job is doing what {job_id} was to do", remedy="follow that one: it has the same key"
            ) from error

    def expire(self) -> list[Job]:
        """Takes jobs away from workers whose lease has run out; returns the jobs as they are now."""
        with self._database.write() as session:
            lost = rows.running(session, JOBS.c.lease_until < now())
            return [rows.lose(session, job) for job in lost]

    def abandon(self, owner: str, *, counts: bool) -> list[Job]:
        """Takes its jobs away from a process known to be dead; returns the jobs as they are now.

        `counts` says whether the attempts count against the jobs, as they do when a lease runs out.
        """
        with self._database.write() as session:
            lost = rows.running(session, JOBS.c.owner == owner)
            end = rows.lose if counts else rows.give_back
            return [end(session, job) for job in lost]

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises NotFoundError."""
        with self._database.read() as session:
            return rows.by_id(session, job_id)
