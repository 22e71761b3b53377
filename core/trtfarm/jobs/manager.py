"""The one place that changes a job's state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trtfarm import routing
from trtfarm.database.clock import from_now, now
from trtfarm.database.insert import conflict_insert
from trtfarm.database.session import Database
from trtfarm.database.work import LIVE_JOBS, JobRow
from trtfarm.errors import BuilderCancelledError, ClaimLostError, TrtfarmError, UsageError
from trtfarm.ids import new_id
from trtfarm.jobs import queue, rows
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.rules import after_failure
from trtfarm.jobs.state import RETRYABLE, JobState
from trtfarm.requirements import ANYWHERE, Requirements
from trtfarm.routing import NOWHERE, Need, Opening, Station
from trtfarm.workers import known_workers


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
        requires: Requirements = ANYWHERE,
    ) -> tuple[Job, bool]:
        """The live job of this key, and whether it was made now. The caller commits, and publishes only after that.

        A second submission of a live key attaches to its job; it can raise the priority and change what is required
        (`_agreed`), and withdraws a request to cancel. A quarantined job is returned as it is: running it again would
        cost more workers.
        """
        newest = select(JOBS).where(JOBS.c.key == key).order_by(JOBS.c.created.desc(), JOBS.c.id.desc()).limit(1)
        last = rows.first(session, newest)
        if last is not None and last.state is JobState.QUARANTINED:
            return last, False
        wish: dict[str, Any] = {"priority": priority, "project": project, "requires": requires}
        while True:
            made = self._insert(session, kind=kind, key=key, request=request, **wish)
            if made is not None:
                return made, True
            joined = self._join(session, key, **wish)
            if joined is not None:
                return joined, False

    def claim(self, job_id: str, owner: str) -> Claim | None:
        """The right to run this very job, for a client that does its own; None if it is not queued (any more)."""
        with self._database.write() as session:
            return self._claim(session, JOBS.c.id == job_id, owner)

    def waiting(self, capabilities: Collection[str], station: Station = NOWHERE) -> list[Opening]:
        """What of its capabilities a free worker at a station finds work for, in the order of `sharing`.

        What it takes in the end, `claim_next` decides.
        """
        if not capabilities:
            return []
        with self._database.read() as session:
            found = queue.next_turns(session, capabilities, capabilities, station)
            openings = (Opening(turn.queue.need.capability, turn.queue.need.requires.gpu_memory_gib) for turn in found)
            return list(dict.fromkeys(openings))

    def claim_next(
        self, owner: str, capability: str, offered: Collection[str] = (), station: Station = NOWHERE
    ) -> Claim | None:
        """The right to run a queued job that needs a capability, of the project whose turn it is; None if none is left.

        `offered` is what the worker could do besides: jobs of these that a project runs count, too. It is done at
        `station`, whose GPU is the one that the job would have. Of workers that ask at the same time each gets another
        job, and none waits for another but for a project with a limit.
        """
        with self._database.write() as session:
            for turn in queue.next_turns(session, [capability], {capability, *offered}, station):
                project = turn.queue.project
                if turn.queue.share.max_running is not None and not queue.has_room(session, project):
                    continue
                first = queue.head(turn.queue.need, project).with_for_update(skip_locked=True).scalar_subquery()
                claim = self._claim(session, JOBS.c.id == first, owner, turn=turn.begins)
                if claim is not None:
                    return claim
        return None

    def beat(self, claim: Claim) -> bool:
        """Renews the lease; True if someone asks for the job to be cancelled.

        Raises ClaimLostError when the claim holds no more: the work must stop, its result will not be taken.
        """
        with self._database.write() as session:
            found = session.execute(rows.renewed(claim, self._lease_seconds)).first()
        if found is None:
            raise rows.claim_lost(claim)
        return bool(found.cancel_requested)

    def hold(self, session: Session, claim: Claim) -> None:
        """Keeps the claim as it is until the transaction ends, so that a result is not written in vain.

        Raises ClaimLostError when the claim holds no more.
        """
        rows.hold(session, claim)

    def finish(self, session: Session, claim: Claim, result: dict[str, Any]) -> Job:
        """Ends the job with its result, in the transaction that also writes the rows of the result.

        Raises ClaimLostError when the claim holds no more; the caller's transaction must then roll back.
        """
        try:
            # As it was claimed: nothing else may have become of it, or the claim is lost.
            return rows.move(session, claim.job, JobState.DONE, result=result, error=None)
        except ClaimLostError:
            raise rows.claim_lost(claim) from None

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
            return [rows.take_away(session, job) for job in lost]

    def abandon(self, owner: str, *, counts: bool) -> list[Job]:
        """Takes its jobs away from a process known to be dead; returns the jobs as they are now.

        `counts` says whether the attempts count against the jobs, as they do when a lease runs out.
        """
        with self._database.write() as session:
            lost = rows.running(session, JOBS.c.owner == owner)
            end = rows.take_away if counts else rows.give_back
            return [end(session, job) for job in lost]

    def needs(self) -> list[Need]:
        """All that queued jobs need, each once."""
        with self._database.read() as session:
            return queue.needs(session)

    def unhinted(self, seconds: float, needs: Collection[Need], limit: int = 100) -> list[Job]:
        """Queued jobs that need one of these and of which the broker has not been told for so many seconds.

        The most urgent come first.
        """
        if not needs:
            return []
        alike = [and_(JOBS.c.capability == need.capability, JOBS.c.requires == need.requires) for need in needs]
        waiting = (
            select(JOBS)
            .where(queue.QUEUED, or_(*alike))
            .where(or_(JOBS.c.hinted_at.is_(None), JOBS.c.hinted_at < from_now(-seconds)))
            .order_by(*queue.order())
            .limit(limit)
        )
        with self._database.read() as session:
            return [Job(**row) for row in session.execute(waiting).mappings()]

    def hinted(self, job_ids: Collection[str]) -> None:
        """Notes that the broker has been told of these jobs."""
        with self._database.write() as session:
            session.execute(update(JOBS).where(JOBS.c.id.in_(job_ids)).values(hinted_at=now()))

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises NotFoundError."""
        with self._database.read() as session:
            return rows.by_id(session, job_id)

    def _insert(self, session: Session, **values: Any) -> Job | None:
        """The new job, or None if a live one has the key; waits for a writer that is about to commit one."""
        statement = conflict_insert(session, JobRow).values(
            id=new_id("job"),
            capability=routing.needed(values["request"]),
            state=JobState.QUEUED,
            attempt=0,
            max_attempts=self._max_attempts,
            cancel_requested=False,
            **values,
        )
        statement = statement.on_conflict_do_nothing(index_elements=["key"], index_where=LIVE_JOBS)
        job = rows.first(session, statement.returning(JOBS))
        if job is not None:
            rows.note(session, job, {"to": job.state})
        return job

    def _join(self, session: Session, key: str, *, priority: int, project: str, requires: Requirements) -> Job | None:
        """The live job of a key, wanted once more; None if it has just ended."""
        job = rows.first(session, rows.live(key).with_for_update())
        if job is None:
            return None
        wanted = {
            "priority": max(priority, job.priority),
            "cancel_requested": False,
            "requires": _agreed(session, job, requires),
            "project": self._soonest(session, job, max(priority, job.priority), project),
        }
        if all(getattr(job, name) == value for name, value in wanted.items()):
            return job
        return rows.change(session, job, "wanted again", **wanted)

    def _soonest(self, session: Session, job: Job, priority: int, project: str) -> str:
        """In whose queue a job waits that another project wants, too: where fewer jobs are before it."""
        if project == job.project or job.state is not JobState.QUEUED:
            return job.project
        here, there = (queue.before(session, job, name, priority) for name in (job.project, project))
        return project if there < here else job.project

    def _claim(self, session: Session, which: ColumnElement[bool], owner: str, **values: Any) -> Claim | None:
        statement = (
            update(JOBS)
            .where(which, JOBS.c.state == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                owner=owner,
                attempt=JOBS.c.attempt + 1,
                lease_until=from_now(self._lease_seconds),
                started=now(),
                **values,
            )
        )
        job = rows.first(session, statement.returning(JOBS))
        if job is None:
            return None
        rows.note(session, job, {"from": JobState.QUEUED, "to": job.state, "owner": owner})
        return Claim(job=job, owner=owner, attempt=job.attempt)


def _agreed(session: Session, job: Job, requires: Requirements) -> Requirements:
    """What a job requires that somebody else wants, too: both agree in it, or it is what somebody can meet."""
    agreed = job.requires.joined(requires)
    if agreed == requires:
        return agreed
    ready = [worker for worker in known_workers(session) if worker.ready]
    met = [wish for wish in (agreed, requires) if any(worker.does(Need(job.capability, wish)) for worker in ready)]
    return next(iter(met), agreed)
