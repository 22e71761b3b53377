"""Committing what jobs gave: the rows of their results and their ends, of several jobs in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from trtfarm.blobs.made import MadeFile, settled
from trtfarm.blobs.records import place_made, record_made
from trtfarm.errors import DiskFullError, StorageError
from trtfarm.farm import Farm
from trtfarm.jobs import history
from trtfarm.jobs.job import Claim, Ended
from trtfarm.submissions.settling import lock_waiting, settle
from trtfarm_worker.logs import logger
from trtfarm_worker.steps.rows import write_all
from trtfarm_worker.steps.step import Outcome
from trtfarm_worker.stopping import Stopping

_log = logger()

#: Seconds between attempts to commit.
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a builder did."""

    claim: Claim
    outcome: Outcome
    #: What the rows will name, in folders that stay until then.
    made: Sequence[MadeFile]
    #: The last of the job's history before its end.
    lines: Sequence[history.Line]
    #: `time.monotonic` of its beginning.
    begun: float
    #: Whether the builder did all of it, and did not end badly after it had handed over what counts.
    whole: bool = True


def commit_all(farm: Farm, works: Sequence[Work], stopping: Stopping, beat: Callable[[], None] = lambda: None) -> None:
    """Ends jobs with the rows of their results and the last lines of their histories, all or nothing.

    One that is somebody else's by now is left out. A database that is away for a while is no reason to do hours of
    work again, so this is tried anew for as long as a lease, or as doing it took; which results still count, the claims
    decide. In between `beat` renews leases: whoever calls may be the thread that would.
    """
    taken = time.monotonic() - min(work.begun for work in works)
    deadline = time.monotonic() + max(farm.settings.lease_seconds, taken)
    while True:
        try:
            made = settled(farm.blobs, [file for work in works for file in work.made])
            with farm.database.steady_write() as session:
                # Before anything is locked, as a store may be far away.
                place_made(session, farm.blobs, made)
                _write(session, farm, works)
                return
        except DiskFullError:
            raise
        except StorageError as error:
            if time.monotonic() > deadline or stopping.wait(_AGAIN_SECONDS):
                raise
            _log.warning("result not committed, tried again", jobs=_ids(works), error=error.message)
            with suppress(StorageError):
                beat()


def commit_rows(farm: Farm, work: Work) -> None:
    """Writes the rows of a result whose job does not end with it. Raises ClaimLostError."""
    made = settled(farm.blobs, work.made)
    with farm.database.write() as session:
        place_made(session, farm.blobs, made)
        farm.jobs.hold(session, work.claim)
        record_made(session, {work.claim.job.id: made})
        write_all(session, [work.outcome])


def _write(session: Session, farm: Farm, works: Sequence[Work]) -> None:
    """Submissions are locked before jobs, as everywhere."""
    ids = _ids(works)
    waiting = lock_waiting(session, ids)
    held = {claim.job.id for claim in farm.jobs.hold_all(session, [work.claim for work in works])}
    if lost := [job_id for job_id in ids if job_id not in held]:
        _log.warning("nothing of these attempts is kept: the jobs are no longer this worker's", jobs=lost)
    kept = {work.claim.job.id: work for work in works if work.claim.job.id in held}
    if not kept:
        return
    record_made(session, {job_id: work.made for job_id, work in kept.items()})
    written = write_all(session, [work.outcome for work in kept.values()])
    results = dict(zip(kept, written, strict=True))
    now = time.monotonic()
    farm.jobs.finish_all(
        session,
        [
            Ended(claim=work.claim, result=results[job_id], seconds=now - work.begun, lines=work.lines)
            for job_id, work in kept.items()
        ],
    )
    settle(session, waiting, results)


def _ids(works: Sequence[Work]) -> list[str]:
    return [work.claim.job.id for work in works]
