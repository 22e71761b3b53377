"""Reading, locking and changing the rows of jobs within a transaction; the manager's tools, nobody else's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Float, Table, column, func, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from trtfarm.database.clock import FromNow, from_now, now
from trtfarm.database.kept import Kept
from trtfarm.database.many import among, as_parameter, json_text, many
from trtfarm.database.work import JobRow
from trtfarm.errors import BuilderCrashError, ClaimLostError, NotFoundError
from trtfarm.jobs.history import STATE_CHANGED, add, addition, told
from trtfarm.jobs.job import Claim, Ended, Job
from trtfarm.jobs.rules import after_lost_worker, after_release
from trtfarm.jobs.state import TRANSITIONS, JobState

#: The table, not the mapped class: a session hands out mapped rows it read before, these statements read anew.
JOBS = cast(Table, JobRow.__table__)


def first(session: Session, statement: Any) -> Job | None:
    row = session.execute(statement).mappings().first()
    return None if row is None else Job(**row)


def by_id(session: Session, job_id: str, *, lock: bool = False) -> Job:
    """Raises NotFoundError."""
    wanted = select(JOBS).where(JOBS.c.id == job_id)
    job = first(session, wanted.with_for_update() if lock else wanted)
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


def held_by(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a claim still holds."""
    return (JOBS.c.id == claim.job.id, JOBS.c.attempt == claim.attempt, JOBS.c.state == JobState.RUNNING)


def hold_all(session: Session, claims: Iterable[Claim]) -> list[Claim]:
    """Locks the claims' jobs, in the order of their keys; those whose claim holds no more are left out."""
    by_id = {claim.job.id: claim for claim in claims}
    found = _HOLD(session, ids=list(by_id))
    return [by_id[job.id] for job in found if by_id[job.id].attempt == job.attempt]


def finish_all(session: Session, ended: Sequence[Ended]) -> None:
    """Ends running jobs with their results. Raises ClaimLostError when any of the claims holds no more."""
    data = {"from": JobState.RUNNING, "to": JobState.DONE, "error": None}
    lines = told((one.claim.job.id, one.claim.attempt, [*one.lines, (STATE_CHANGED, data)]) for one in ended)
    values = [
        {"id": one.claim.job.id, "attempt": one.claim.attempt, "seconds": -one.seconds, "result": json_text(one.result)}
        for one in ended
    ]
    done = _FINISH(session, lines=as_parameter(lines), ended=as_parameter(values))
    if len(done) != len(values):
        raise claim_lost(ended[0].claim)


def renewed(claim: Claim, seconds: float) -> ReturningUpdate[bool]:
    """The statement of a heartbeat: the claim lasts so much longer; it gives whether somebody wants the job stopped."""
    statement = update(JOBS).where(*held_by(claim)).values(lease_until=from_now(seconds))
    return statement.returning(JOBS.c.cancel_requested)


def held(session: Session, claim: Claim) -> Job:
    """The claim's job, locked. Raises ClaimLostError."""
    job = first(session, select(JOBS).where(*held_by(claim)).with_for_update())
    if job is None:
        raise claim_lost(claim)
    return job


def running(session: Session, which: ColumnElement[bool]) -> list[Job]:
    """Running jobs, locked; those that another process is changing right now are left to it."""
    found = select(JOBS).where(JOBS.c.state == JobState.RUNNING, which).order_by(JOBS.c.id)
    return [Job(**row) for row in session.execute(found.with_for_update(skip_locked=True)).mappings()]


def move(session: Session, job: Job, to: JobState, **values: Any) -> Job:
    """Brings a job, as it was read, to another state; the one that was read must still be the one that is."""
    if to not in TRANSITIONS[job.state]:
        raise ValueError(f"no way leads from {job.state} to {to}")
    if to is JobState.QUEUED:
        values |= {"owner": None, "queued_at": now(), "hinted_at": None, "finished": None}
    else:
        values |= {"finished": now()}
    if job.state is JobState.RUNNING and to is not JobState.QUEUED:
        values |= {"started": func.coalesce(JOBS.c.started, now())}
    moved = _update(session, job, state=to, lease_until=None, **values)
    note(session, moved, {"from": job.state, "to": to, "error": values.get("error")})
    return moved


def change(session: Session, job: Job, what: str, **values: Any) -> Job:
    """Changes a job without changing its state."""
    changed = _update(session, job, **values)
    note(session, changed, {"to": changed.state, "note": what})
    return changed


def stop(session: Session, job: Job) -> Job:
    """Ends a queued job, has a running one stopped by its worker, and leaves an ended one as it is."""
    if job.state is JobState.QUEUED:
        return move(session, job, JobState.CANCELLED)
    if job.state is JobState.RUNNING:
        return change(session, job, "cancel requested", cancel_requested=True)
    return job


def give_back(session: Session, job: Job) -> Job:
    """Ends an attempt that does not count."""
    # The attempt is the fencing token and never goes back, so the limit moves on instead.
    return move(session, job, after_release(job), max_attempts=job.max_attempts + 1)


def take_away(session: Session, job: Job) -> Job:
    """Ends an attempt whose worker vanished."""
    error = BuilderCrashError(
        f"worker {job.owner} vanished in attempt {job.attempt}",
        cause="it was killed, lost its machine, or could not reach the database",
        remedy="look at the worker's log; a job that no worker survives is quarantined until it is retried",
    )
    return move(session, job, after_lost_worker(job), error=error.as_dict())


def lose(session: Session, job: Job) -> Job:
    """Ends an attempt whose worker vanished; one that it had not begun does not count."""
    return take_away(session, job) if job.started else give_back(session, job)


def note(session: Session, job: Job, data: dict[str, Any]) -> None:
    """Adds a change to the job's history; the change itself has locked the row."""
    add(session, job.id, job.attempt, [(STATE_CHANGED, data)])


def claim_lost(claim: Claim) -> ClaimLostError:
    return ClaimLostError(
        f"attempt {claim.attempt} of job {claim.job.id} is no longer {claim.owner}'s",
        cause="its lease ran out, so the job was given to another worker or ended",
        remedy="nothing is lost: the attempt that holds the job now decides",
    )


def _update(session: Session, job: Job, **values: Any) -> Job:
    unchanged = (JOBS.c.id == job.id, JOBS.c.attempt == job.attempt, JOBS.c.state == job.state)
    changed = first(session, update(JOBS).where(*unchanged).values(**values).returning(JOBS))
    if changed is None:
        raise ClaimLostError(f"job {job.id} changed while it was being changed", remedy="try again")
    return changed


def _hold(dialect: str) -> list[Any]:
    wanted = among(dialect, JOBS.c.id, "ids"), JOBS.c.state == JobState.RUNNING
    return [select(JOBS.c.id, JOBS.c.attempt).where(*wanted).order_by(JOBS.c.key).with_for_update()]


def _finish(dialect: str) -> list[Any]:
    """Jobs that were begun before they were known to be (see `begun`) get that moment from `seconds`."""
    seconds = column("seconds", Float)
    ended = many(dialect, "ended", [JOBS.c.id, JOBS.c.attempt, JOBS.c.result, seconds])
    claimed = JOBS.c.id == ended.c.id, JOBS.c.attempt == ended.c.attempt, JOBS.c.state == JobState.RUNNING
    begun = func.coalesce(JOBS.c.started, FromNow(ended.c.seconds))
    end = {"state": literal(JobState.DONE.value), "finished": now(), "lease_until": None, "error": None}
    done = update(JOBS).where(*claimed).values(**end, started=begun, result=ended.c.result)
    return [addition(dialect), done.returning(JOBS.c.id)]


_HOLD, _FINISH = Kept(_hold), Kept(_finish)
